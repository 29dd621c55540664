#!/usr/bin/env bash
# moto 5.2.5 (a stand-in for AWS) and EventBridge patterns: objects in a list never match, and the number 1 matches true.
#
# One would guess that it decides as AWS does, whose matcher is public (event-ruler 1.8.1, run beside it): a list of objects matches
# when one of its objects does, an empty list counts as a field that is not there, and a number is no boolean. In moto a rule for
# `items.sku` sees nothing of an event with a list of items, so a test of what must not be delivered passes for the wrong reason.
# PutEvents answers the same in either case: an event id and no failure.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'moto[events,sqs]==5.2.5' boto3==1.43.106 botocore==1.43.106
cat > pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>software.amazon.event.ruler</groupId><artifactId>event-ruler</artifactId><version>1.8.1</version></dependency>
  </dependencies>
</project>
XML
mvn --batch-mode --quiet dependency:copy-dependencies -DoutputDirectory=lib > maven.log 2>&1 || { cat maven.log; exit 1; }

cat > patterns <<'PATTERNS'
{"detail":{"state":["open"]}}
{"detail":{"items":{"sku":["a"]}}}
{"detail":{"notes":[{"exists":false}]}}
{"detail":{"gift":[1]}}
PATTERNS
cat > Ruler.java <<'JAVA'
class Ruler {
    public static void main(String[] arguments) throws Exception {
        for (var pattern : java.nio.file.Files.readAllLines(java.nio.file.Path.of("patterns"))) {
            var machine = new software.amazon.event.ruler.Machine();
            machine.addRule("rule", pattern);
            System.out.println(!machine.rulesForJSONEvent("{\"source\":\"shop\",\"detail\":" + arguments[0] + "}").isEmpty());
        }
    }
}
JAVA
cat > try.py <<'SCRIPT'
import sys

import boto3
from moto import mock_aws

for pattern in open("patterns"):
    with mock_aws():
        events, queues = boto3.client("events"), boto3.client("sqs")
        queue = queues.create_queue(QueueName="q")["QueueUrl"]
        arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name="rule", EventPattern=pattern)
        events.put_targets(Rule="rule", Targets=[{"Id": "q", "Arn": arn}])
        answer = events.put_events(Entries=[{"Source": "shop", "DetailType": "order", "Detail": sys.argv[1]}])
        assert answer["FailedEntryCount"] == 0
        print("true" if "Messages" in queues.receive_message(QueueUrl=queue) else "false")
SCRIPT

detail='{"state":"open","items":[{"sku":"a"},{"sku":"b"}],"notes":[],"gift":true}'
guessed=$(java -cp 'lib/*' Ruler.java "$detail" 2> java.log || { cat java.log; exit 1; })
seen=$(env -u AWS_PROFILE -u AWS_ENDPOINT_URL AWS_CONFIG_FILE=/dev/null AWS_DEFAULT_REGION=eu-central-1 venv/bin/python try.py "$detail")
echo "detail: $detail; patterns, guessed (as event-ruler 1.8.1 says), seen in moto 5.2.5:"
paste patterns <(echo "$guessed") <(echo "$seen")
[ "$(echo $guessed / $seen)" = 'true true true false / true false false true' ]

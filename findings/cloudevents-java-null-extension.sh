#!/usr/bin/env bash
# cloudevents-json-jackson 4.0.1 (Java) makes the text "null" of an extension that is null.
#
# The JSON format has a member that is null mean an attribute that is not set. One would guess that the event has no such extension,
# as is so for `subject: null` in this library and for extensions in the SDK for Go. The extension is there, with the four letters
# as its value, and goes on so in both modes: a rule for events with a `traceparent` takes one that has none.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId>
  <artifactId>finding</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.cloudevents</groupId>
      <artifactId>cloudevents-json-jackson</artifactId>
      <version>4.0.1</version>
    </dependency>
    <dependency>
      <groupId>io.cloudevents</groupId>
      <artifactId>cloudevents-http-basic</artifactId>
      <version>4.0.1</version>
    </dependency>
  </dependencies>
</project>
XML
mvn --batch-mode --quiet dependency:copy-dependencies -DoutputDirectory=lib > maven.log 2>&1 || { cat maven.log; exit 1; }

cat > Try.java <<'JAVA'
import io.cloudevents.core.provider.EventFormatProvider;
import io.cloudevents.http.HttpMessageFactory;
import io.cloudevents.jackson.JsonFormat;
import java.util.TreeMap;

class Try {
    public static void main(String[] arguments) {
        var format = EventFormatProvider.getInstance().resolveFormat(JsonFormat.CONTENT_TYPE);
        var sent = "{'specversion':'1.0','id':'1','source':'/a','type':'b','subject':null,'traceparent':null}".replace('\'', '"');
        var event = format.deserialize(sent.getBytes());
        System.out.println(event.getSubject() + " " + event.getExtensionNames());
        System.out.println(new String(format.serialize(event)));
        var headers = new TreeMap<String, String>();
        HttpMessageFactory.createWriter(headers::put, body -> {}).writeBinary(event);
        System.out.println(headers);
    }
}
JAVA
seen=$(java -cp 'lib/*' Try.java 2> java.log || { cat java.log; exit 1; })
echo 'cloudevents-json-jackson 4.0.1, an event with subject and traceparent null: as read, as JSON, as headers'
echo 'guessed: neither is there'
printf 'seen:\n%s\n' "$seen"
[ "$seen" = 'null [traceparent]
{"specversion":"1.0","id":"1","source":"/a","type":"b","traceparent":"null"}
{ce-id=1, ce-source=/a, ce-specversion=1.0, ce-traceparent=null, ce-type=b}' ]

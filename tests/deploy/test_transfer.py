"""Moving in and out: the bucket that both go through, the roles of operators, and who hears of an export."""

import json
import re

import chosen
import pytest
import stack

OPERATORS = ("ImportOperator", "ExportOperator")
TABLE, KEYS_TABLE = "${Table.Arn}", "${KeysTable.Arn}"
BUCKET = "${TransferBucket.Arn}"

# All that an operator may do: the action, on what, and in which partitions.
MAY = {
    "ImportOperator": {
        ("s3:PutObject", f"{BUCKET}/imports/*", ()),
        ("s3:GetObject", f"{BUCKET}/imports/*.report.jsonl", ()),
        ("s3:ListBucket", BUCKET, ()),
        ("sqs:SendMessage", "${ImportQueue.Arn}", ()),
    },
    "ExportOperator": {
        ("dynamodb:DescribeTable", TABLE, ()),
        ("dynamodb:ExportTableToPointInTime", TABLE, ()),
        ("dynamodb:DescribeExport", f"{TABLE}/export/*", ()),
        ("s3:AbortMultipartUpload", f"{BUCKET}/exports/*", ()),
        ("s3:PutObject", f"{BUCKET}/exports/*", ()),
        ("s3:PutObjectAcl", f"{BUCKET}/exports/*", ()),
        ("s3:GetObject", f"{BUCKET}/exports/*", ()),
        ("s3:DeleteObject", f"{BUCKET}/exports/*", ()),
        ("s3:ListBucket", BUCKET, ()),
        ("dynamodb:PutItem", TABLE, ("STAFF#*",)),
        ("dynamodb:GetItem", KEYS_TABLE, ("SEAL#totp",)),
        ("kms:Decrypt", "${TableKey.Arn}", ()),
        ("kms:DescribeKey", "${TableKey.Arn}", ()),
        ("kms:Decrypt", "${KeysTableKey.Arn}", ()),
        ("kms:DescribeKey", "${KeysTableKey.Arn}", ()),
    },
}


def as_list(value):
    return value if isinstance(value, list) else [value]


def statements(role, **given):
    (policy,) = chosen.resources(**given)[role]["Properties"]["Policies"]
    return {one["Sid"]: one for one in policy["PolicyDocument"]["Statement"]}


def constant(path, name):
    """The text of a constant of the source."""
    return re.search(rf'const {name}: &str = "([^"]*)"', (stack.ROOT / path).read_text())[1]


# ---- The bucket ------------------------------------------------------------------------------------------------------


def test_transfer_objects_and_incomplete_uploads_expire_after_a_day():
    bucket = chosen.resources()["TransferBucket"]
    assert bucket["Properties"]["LifecycleConfiguration"]["Rules"] == [
        {
            "Id": "forget",
            "Status": "Enabled",
            "ExpirationInDays": 1,
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }
    ]
    # An older version would outlive the object, and a bucket that is kept the stack.
    assert "VersioningConfiguration" not in bucket["Properties"]
    assert not {"DeletionPolicy", "UpdateReplacePolicy"} & bucket.keys()


def test_rights_and_functions_name_the_folders_that_the_source_has():
    imports = constant("transfer/src/parts.rs", "PREFIX")
    exports = constant("transfer/src/export.rs", "PREFIX")
    assert {resource for _, resource, _ in MAY["ImportOperator"] if "/imports" in resource} == {
        f"{BUCKET}/{imports}*",
        f"{BUCKET}/{imports}*.report.jsonl",
    }
    assert {resource for _, resource, _ in MAY["ExportOperator"] if "/exports" in resource} == {f"{BUCKET}/{exports}/*"}
    assert ".report.jsonl" in (stack.ROOT / "transfer/src/parts.rs").read_text()


# ---- Roles of operators ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", OPERATORS)
def test_an_operator_may_do_what_the_command_does_and_nothing_else(role):
    found = set()
    for statement in statements(role).values():
        assert statement["Effect"] == "Allow"
        keys = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", [])
        for action in as_list(statement["Action"]):
            found |= {(action, stack.words(one), tuple(keys)) for one in as_list(statement["Resource"])}
    assert found == MAY[role]


@pytest.mark.parametrize("role", OPERATORS)
def test_an_operator_works_on_restored_tables_as_on_the_stacks_own(role):
    own, given = statements(role), statements(role, **chosen.RESTORED)
    assert own.keys() == given.keys()
    prefix = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/"
    for sid, statement in own.items():
        words, restored = stack.words(statement["Resource"]), stack.words(given[sid]["Resource"])
        expected = words.replace(KEYS_TABLE, prefix + "${KeysTableName}").replace(TABLE, prefix + "${TableName}")
        assert restored == expected.replace("KeysTableKey.Arn", "KeysTableKeyArn").replace("{TableKey.Arn", "{TableKeyArn")


@pytest.mark.parametrize("role", OPERATORS)
@pytest.mark.parametrize("mfa", ["on", "off"])
def test_operators_of_this_account_get_an_hour_with_mfa_if_configured(role, mfa):
    made = chosen.resources(OperatorMfa=mfa)[role]["Properties"]
    assert made["MaxSessionDuration"] == 3600
    (trust,) = made["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    # Bool, not BoolIfExists: a session that says nothing of MFA has none.
    asked = {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}} if mfa == "on" else {}
    assert {key: value for key, value in trust.items() if key == "Condition"} == asked


def test_mfa_is_asked_for_unless_a_parameter_says_otherwise():
    assert chosen.parameters()["OperatorMfa"] == "on"


def test_an_import_operator_reads_and_writes_no_table():
    assert not [action for action, _, _ in MAY["ImportOperator"] if action.startswith(("dynamodb:", "kms:"))]


def test_export_operators_list_exports_only_and_import_operators_see_missing_reports():
    assert statements("ExportOperator")["ListExports"]["Condition"] == {"StringLike": {"s3:prefix": "exports/*"}}
    # A request for an object has no prefix: with a condition on it a report that is not there yet would be refused with 403.
    assert "Condition" not in statements("ImportOperator")["SeeThatReportsAreMissing"]


def test_outputs_name_what_operators_need():
    outputs = chosen.outputs()
    for role in OPERATORS:
        assert outputs[f"{role}Arn"]["Value"] == {"Fn::GetAtt": [role, "Arn"]}
    assert outputs["TransferBucketName"]["Value"] == {"Ref": "TransferBucket"}


# ---- Who hears of an export ------------------------------------------------------------------------------------------

RULES = ("AccountsExported", "AccountsExportedElsewhere")


@pytest.mark.parametrize("stage, told", [("test", False), ("dev", False), ("staging", True), ("production", True)])
def test_an_export_is_told_where_there_are_alarms(stage, told):
    made = chosen.resources(Stage=stage)
    for rule in RULES:
        assert (rule in made) is told, rule
    assert chosen.resources(Stage=stage)["TransferBucket"]["Properties"]["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }


def test_every_export_to_the_bucket_is_told_whatever_its_prefix():
    pattern = chosen.resources(Stage="production")["AccountsExported"]["Properties"]["EventPattern"]
    assert (pattern["source"], pattern["detail-type"]) == (["aws.s3"], ["Object Created"])
    assert pattern["detail"]["bucket"]["name"] == [{"Ref": "TransferBucket"}]
    ((matcher,),) = pattern["detail"]["object"].values()
    (suffix,) = matcher.values()
    assert list(matcher) == ["suffix"]
    for key, told in (
        ("exports/0198c0de/AWSDynamoDB/0123-ab/manifest-summary.json", True),
        ("AWSDynamoDB/0123-ab/manifest-summary.json", True),
        ("exports/0198c0de/AWSDynamoDB/0123-ab/manifest-summary.checksum", False),
        ("exports/0198c0de/AWSDynamoDB/0123-ab/manifest-files.json", False),
        ("exports/0198c0de/AWSDynamoDB/0123-ab/data/abc.json.gz", False),
        ("imports/0198c0de/00000000.jsonl", False),
    ):
        assert key.endswith(suffix) is told, key


@pytest.mark.parametrize(
    "given, table",
    [
        ({}, {"Fn::GetAtt": ["Table", "Arn"]}),
        (chosen.RESTORED, {"Fn::Sub": "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${TableName}"}),
    ],
)
def test_an_export_to_another_bucket_is_told_as_well(given, table):
    rule = chosen.resources(Stage="production", **given)["AccountsExportedElsewhere"]["Properties"]
    detail = rule["EventPattern"]["detail"]
    assert detail["eventName"] == ["ExportTableToPointInTime"]
    assert detail["requestParameters"] == {
        "tableArn": [table],
        "s3Bucket": [{"anything-but": [{"Ref": "TransferBucket"}]}],
    }


@pytest.mark.parametrize("rule", RULES)
def test_a_person_understands_what_is_told_and_finds_the_runbook(rule):
    (target,) = chosen.resources(Stage="production")[rule]["Properties"]["Targets"]
    assert target["Arn"] == {"Ref": "AlarmTopic"}
    transformer = target["InputTransformer"]
    template = transformer["InputTemplate"]["Fn::Sub"]
    assert set(re.findall(r"<(\w+)>", template)) == transformer["InputPathsMap"].keys()
    # EventBridge takes text between quotes, on one line.
    text = json.loads(template)
    assert "\n" not in template and "all accounts of ${AWS::StackName}" in text.replace("All", "all")
    runbook = re.search(r"docs/operations/\w+\.md", text)[0]
    assert f"`{rule}`" in (stack.ROOT / runbook).read_text()


@pytest.mark.parametrize("rule", RULES)
def test_the_topic_takes_what_the_rule_tells(rule):
    (statement,) = [
        one
        for one in chosen.resources(Stage="production")["AlarmTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if one["Sid"] == "TellOfExports"
    ]
    assert (statement["Principal"], statement["Action"]) == ({"Service": "events.amazonaws.com"}, "sns:Publish")
    told = [stack.words(arn) for arn in statement["Condition"]["ArnEquals"]["aws:SourceArn"]]
    assert "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${" + rule + "}" in told


# ---- Another system's passwords --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameter, value, taken",
    [
        ("LegacyUserPool", "", True),
        ("LegacyUserPool", "eu-central-1_a1B2c3D4e", True),
        ("LegacyUserPool", "us-gov-west-1_A", True),
        ("LegacyUserPool", "a1B2c3D4e", False),
        ("LegacyUserPool", "eu-central-1_", False),
        ("LegacyUserPool", "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_a", False),
        ("LegacyPasswordUrl", "", True),
        ("LegacyPasswordUrl", "https://old.example.com/check", True),
        ("LegacyPasswordUrl", "http://old.example.com/check", False),
        ("LegacyPasswordsUntil", "", True),
        ("LegacyPasswordsUntil", "2027-06-30T00:00:00Z", True),
        ("LegacyPasswordsUntil", "2027-06-30T00:00:00.5+02:00", True),
        ("LegacyPasswordsUntil", "2027-06-30T00:00:00", False),
        ("LegacyPasswordsUntil", "2027-06-30", False),
        ("LegacyPasswordsUntil", "in June", False),
    ],
)
def test_a_parameter_of_another_system_takes_what_the_service_takes(parameter, value, taken):
    declared = stack.source()["Parameters"][parameter]
    assert bool(re.fullmatch(declared["AllowedPattern"], value)) is taken
    assert declared["ConstraintDescription"].endswith(".")


@pytest.mark.parametrize(
    "given, taken",
    [
        ({}, True),
        ({"LegacyPasswordsUntil": "2027-06-30T00:00:00Z"}, True),
        ({"LegacyUserPool": "eu-central-1_a"}, False),
        ({"LegacyPasswordUrl": "https://old.example.com"}, False),
        ({"LegacyUserPool": "eu-central-1_a", "LegacyPasswordsUntil": "2027-06-30T00:00:00Z"}, True),
    ],
)
def test_no_other_system_is_asked_without_an_end(given, taken):
    assert chosen.accepts("LegacyPasswordsHaveAnEnd", **given) is taken


@pytest.mark.parametrize("binary", ["login", "change_password", "step_up"])
def test_only_functions_that_check_passwords_may_query_the_user_pool(binary):
    role = "".join(word.capitalize() for word in binary.split("_")) + "Role"
    asking = {
        name: [stack.words(one) for one in as_list(statement["Resource"])]
        for name, body in stack.resources("everything", "AWS::IAM::Role").items()
        for policy in body["Properties"].get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
        if "cognito-idp:AdminInitiateAuth" in as_list(statement["Action"])
    }
    assert len(asking) == 3
    pool = "arn:${AWS::Partition}:cognito-idp:${AWS::Region}:${AWS::AccountId}:userpool/${LegacyUserPool}"
    assert asking[role] == [pool]

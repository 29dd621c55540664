"""Tables, their keys, buckets, and what serves the pictures."""

import re
from fnmatch import fnmatch

import chosen
import pytest
import stack

OWN = ["KeysTable", "KeysTableKey", "Table", "TableKey"]
RESTORED = {
    "TableName": "users-production-restored",
    "TableStreamArn": "arn:aws:dynamodb:eu-central-1:123456789012:table/users-production-restored/stream/2026-11-29T12:00:00.000",
    "KeysTableName": "users-production-keys-restored",
    "TableKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/main",
    "KeysTableKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/keys",
}


def test_tables_that_are_given_leave_out_the_templates_own():
    assert [name for name in OWN if name in chosen.resources()] == OWN
    assert not set(OWN) & chosen.resources(**RESTORED).keys()


def test_given_tables_are_what_functions_and_outputs_name():
    own, given = chosen.variables(), chosen.variables(**RESTORED)
    assert (own["TABLE_NAME"], own["KEYS_TABLE_NAME"]) == ({"Ref": "Table"}, {"Ref": "KeysTable"})
    assert (given["TABLE_NAME"], given["KEYS_TABLE_NAME"]) == (RESTORED["TableName"], RESTORED["KeysTableName"])
    outputs = chosen.outputs(**RESTORED)
    assert outputs["TableName"]["Value"] == RESTORED["TableName"]
    assert outputs["KeysTableName"]["Value"] == RESTORED["KeysTableName"]
    assert outputs["TableStreamArn"]["Value"] == RESTORED["TableStreamArn"]
    assert outputs["TableKeyArn"]["Value"] == RESTORED["TableKeyArn"]
    assert outputs["KeysTableKeyArn"]["Value"] == RESTORED["KeysTableKeyArn"]


@pytest.mark.parametrize("stage", ["test", "production"])
def test_no_shared_resource_needs_a_table_that_is_not_made(stage):
    made = chosen.resources(Stage=stage, AlarmEmail="alarms@example.com", **RESTORED)
    gone = stack.source()["Resources"].keys() - made.keys()
    # What belongs to a function is named after it.
    functions = [name for name, body in made.items() if body["Type"] == chosen.FUNCTIONS]
    shared = {name: body for name, body in made.items() if not name.startswith(tuple(functions))}
    assert {"EveryFunction", "Dashboard"} <= shared.keys()
    for name, body in (shared | chosen.outputs(Stage=stage, **RESTORED)).items():
        assert not set(stack.references(body)) & gone, f"{name} needs {set(stack.references(body)) & gone}"


@pytest.mark.parametrize(
    "given, taken",
    [
        ({}, True),
        (RESTORED, True),
        ({"TableName": "users"}, False),
        ({"TableName": "users", "TableKeyArn": RESTORED["TableKeyArn"]}, False),
        ({name: value for name, value in RESTORED.items() if name != "KeysTableKeyArn"}, False),
        ({"TableKeyArn": RESTORED["TableKeyArn"]}, False),
    ],
)
def test_restored_tables_come_both_and_with_their_keys(given, taken):
    assert chosen.accepts("RestoredTablesComeTogether", **given) is taken


def test_no_bucket_has_a_name_that_others_can_take_first():
    for name, bucket in chosen.resources("AWS::S3::Bucket").items():
        assert "BucketName" not in bucket["Properties"], name


@pytest.mark.parametrize("name", ["users-dev-uploadsbucket-1a2b3c4d5e6f", "users-production-uploadsbucket-abcdefghijkl"])
def test_uploads_are_notified_from_this_accounts_bucket_alone(name):
    (statement,) = [
        one
        for one in chosen.resources()["ImageQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if one["Sid"] == "NotifyOfUploads"
    ]
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    pattern = statement["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"].replace("${AWS::Partition}", "aws")
    assert fnmatch(f"arn:aws:s3:::{name}", pattern)
    assert not fnmatch("arn:aws:s3:::users-dev-picturesbucket-1a2b3c4d5e6f", pattern)


@pytest.mark.parametrize(
    "pictures, distribution, url",
    [
        ("off", False, ""),
        ("on", True, {"Fn::Sub": "https://${PicturesDistribution.DomainName}"}),
        ("https://pictures.example.com", False, "https://pictures.example.com"),
    ],
)
def test_cloudfront_is_there_only_where_it_serves_pictures(pictures, distribution, url):
    made = chosen.resources(Pictures=pictures)
    kinds = {body["Type"] for body in made.values() if body["Type"].startswith("AWS::CloudFront::")}
    assert bool(kinds) is distribution
    assert chosen.variables(Pictures=pictures)["PICTURES_URL"] == url
    assert chosen.outputs(Pictures=pictures).get("PicturesUrl", {"Value": ""})["Value"] == url
    assert chosen.decision(Pictures=pictures).condition("HasPictures") is (pictures != "off")


def test_a_first_deployment_makes_nothing_in_cloudfront():
    for environment in ("dev", "test"):
        given = stack.environments()[environment]
        kinds = {body["Type"] for body in chosen.resources(**given).values()}
        assert not [kind for kind in kinds if kind.startswith("AWS::CloudFront::")], environment


@pytest.mark.parametrize(
    "pictures, condition",
    [
        ("off", None),
        (
            "on",
            {
                "StringEquals": {
                    "aws:SourceArn": {
                        "Fn::Sub": "arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/${PicturesDistribution}"
                    }
                }
            },
        ),
        (
            "https://pictures.example.com",
            {"ArnLike": {"aws:SourceArn": {"Fn::Sub": "arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/*"}}},
        ),
    ],
)
def test_pictures_are_read_by_distributions_of_this_account_alone(pictures, condition):
    policy = chosen.resources(Pictures=pictures)["PicturesBucketPolicy"]["Properties"]["PolicyDocument"]
    readers = [one for one in policy["Statement"] if one["Effect"] == "Allow"]
    assert [one["Condition"] for one in readers] == ([condition] if condition else [])


@pytest.mark.parametrize(
    "value, taken",
    [
        ("on", True),
        ("off", True),
        ("https://pictures.example.com", True),
        ("https://cdn.example.com/pictures", True),
        ("https://cdn.example.com/", False),
        ("http://pictures.example.com", False),
        ("", False),
    ],
)
def test_pictures_are_on_off_or_at_a_url_without_a_slash(value, taken):
    assert bool(re.fullmatch(stack.source()["Parameters"]["Pictures"]["AllowedPattern"], value)) == taken


def test_a_key_of_a_table_in_danger_is_told_to_the_alarms():
    for given, keys in (
        ({}, [{"Fn::GetAtt": ["TableKey", "Arn"]}, {"Fn::GetAtt": ["KeysTableKey", "Arn"]}]),
        (RESTORED, [RESTORED["TableKeyArn"], RESTORED["KeysTableKeyArn"]]),
    ):
        made = chosen.resources(Stage="production", **given)
        rule = made["KeyEndangered"]["Properties"]
        detail = rule["EventPattern"]["detail"]
        assert {"DisableKey", "PutKeyPolicy", "ScheduleKeyDeletion"} <= set(detail["eventName"])
        assert detail["resources"]["ARN"] == keys
        assert [target["Arn"] for target in rule["Targets"]] == [{"Ref": "AlarmTopic"}]
    # EventBridge publishes to the topic only if it may use the topic's key as well.
    (encrypts,) = [one for one in made["AlarmKey"]["Properties"]["KeyPolicy"]["Statement"] if one["Sid"] == "EncryptAlarms"]
    assert "events.amazonaws.com" in encrypts["Principal"]["Service"]
    publishers = made["AlarmTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert [one for one in publishers if one["Principal"] == {"Service": "events.amazonaws.com"}]


def test_pictures_leave_the_routes_of_a_new_account_concurrency():
    stages = stack.source("PicturesArea")["Mappings"]["Stages"]
    for stage in ("test", "dev"):
        # Of the ten that a new account has, with two for the emailer and one for the sweeper.
        assert stages[stage]["Pictures"] == 2, stage
    for stage in stages:
        # AWS takes no less (Lambda Developer Guide, maximum concurrency of an SQS event source).
        assert 2 <= stages[stage]["Pictures"] <= 10, stage

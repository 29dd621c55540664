"""The templates for us-east-1: CloudFront and AWS WAF in front of the API, and what AWS has there alone."""

import json
import re
import shutil
import subprocess

import pytest
import stack

FRONT = stack.yaml_parse((stack.ROOT / "deploy/front.yaml").read_text())
GLOBAL = stack.yaml_parse((stack.ROOT / "deploy/global.yaml").read_text())
CONFIG = FRONT["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
BEHAVIOR = CONFIG["DefaultCacheBehavior"]


def test_the_front_sends_the_secret_and_the_clients_address():
    (origin,) = CONFIG["Origins"]
    assert origin["OriginCustomHeaders"] == [{"HeaderName": "x-front-secret", "HeaderValue": {"Ref": "FrontSecret"}}]
    assert FRONT["Parameters"]["FrontSecret"]["NoEcho"] is True
    assert BEHAVIOR["FunctionAssociations"] == [
        {"EventType": "viewer-request", "FunctionARN": {"Fn::GetAtt": ["ViewerAddress", "FunctionARN"]}}
    ]


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js")
@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_an_address_that_a_client_claims_is_overwritten(address):
    event = {"viewer": {"ip": address}, "request": {"headers": {"x-viewer-address": {"value": "203.0.113.9"}}}}
    code = FRONT["Resources"]["ViewerAddress"]["Properties"]["FunctionCode"]
    program = f"{code}\nconsole.log(JSON.stringify(handler({json.dumps(event)})))"
    answer = subprocess.run(["node", "--eval", program], capture_output=True, check=True, text=True).stdout
    assert json.loads(answer)["headers"] == {"x-viewer-address": {"value": address}}


def test_the_front_forwards_everything_but_the_host():
    # AWS's AllViewerExceptHostHeader: API Gateway finds an API by the Host of its own name.
    assert BEHAVIOR["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"
    assert set(BEHAVIOR["AllowedMethods"]) == {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}


def test_the_front_keeps_no_answer_of_one_client_for_another():
    assert BEHAVIOR["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # AWS's CachingDisabled
    # CloudFront caches errors for ten seconds all the same, of most also with no-store.
    errors = {entry["ErrorCode"]: entry["ErrorCachingMinTTL"] for entry in CONFIG["CustomErrorResponses"]}
    assert errors == dict.fromkeys([400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504], 0)


def test_the_front_is_reached_over_both_internet_protocols():
    assert CONFIG["IPV6Enabled"] is True
    records = [one["Properties"] for one in FRONT["Resources"].values() if one["Type"] == "AWS::Route53::RecordSet"]
    assert sorted(record["Type"] for record in records) == ["A", "AAAA"]
    assert CONFIG["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"


def test_the_front_turns_away_an_address_that_floods():
    assert CONFIG["WebACLId"] == {"Fn::GetAtt": ["WebAcl", "Arn"]}
    (rule,) = FRONT["Resources"]["WebAcl"]["Properties"]["Rules"]
    limit = rule["Statement"]["RateBasedStatement"]
    assert (limit["AggregateKeyType"], limit["Limit"]) == ("IP", {"Ref": "RequestsPerAddress"})
    assert rule["Action"]["Block"]["CustomResponse"]["ResponseCode"] == 429
    body = FRONT["Resources"]["WebAcl"]["Properties"]["CustomResponseBodies"]["rate-limited"]["Content"]
    assert (json.loads(body)["status"], json.loads(body)["code"]) == (429, "rate_limited")


def test_the_fronts_secret_is_long_and_one():
    pattern = FRONT["Parameters"]["FrontSecret"]["AllowedPattern"]
    for secret in ("a" * 32, "A-z_9" * 40):
        assert re.fullmatch(pattern, secret), secret
    for secret in ("", "a" * 31, "a" * 201, f"{'a' * 32},{'b' * 32}", "a" * 32 + "\n"):
        assert not re.fullmatch(pattern, secret), secret


def test_errors_of_every_distribution_raise_an_alarm():
    alarms = [one["Properties"] for one in GLOBAL["Resources"].values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    watched = [one["Dimensions"][0]["Value"]["Ref"] for one in alarms if one["MetricName"] == "5xxErrorRate"]
    assert sorted(watched) == ["FrontDistribution", "PicturesDistribution"]
    for alarm in alarms:
        # CloudFront's metrics have this dimension, whatever it says of the region.
        assert {"Name": "Region", "Value": "Global"} in alarm["Dimensions"]
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    assert stack.source()["Outputs"]["PicturesDistributionId"]["Value"] == {"Ref": "PicturesDistribution"}


def test_a_budget_is_optional_and_warns_before_it_is_spent():
    budget = GLOBAL["Resources"]["Budget"]
    assert GLOBAL["Conditions"][budget["Condition"]] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "MonthlyBudget"}, 0]}]}
    kinds = [one["Notification"]["NotificationType"] for one in budget["Properties"]["NotificationsWithSubscribers"]]
    assert sorted(kinds) == ["ACTUAL", "FORECASTED"]


@pytest.mark.parametrize("template", [FRONT, GLOBAL], ids=["front", "global"])
def test_every_parameter_of_these_is_described_and_shown(template):
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert {name for group in groups for name in group["Parameters"]} == template["Parameters"].keys()
    assert all(parameter["Description"] for parameter in template["Parameters"].values())

"""What holds for the expanded template in every environment, beside its policies."""

import json
import re
import tomllib
from graphlib import CycleError, TopologicalSorter

import pytest
import stack

everywhere = pytest.mark.parametrize("environment", sorted(stack.environments()))
RETAINED = ["FailedEventsBucket", "KeysTable", "KeysTableKey", "LogsBucket", "PicturesBucket", "Table", "TableKey"]


@everywhere
def test_no_resource_waits_for_itself(environment):
    for one in stack.deployed(environment):
        resources = stack.resources_of(one, environment)
        needs = {name: set(stack.references(body)) & resources.keys() for name, body in resources.items()}
        try:
            TopologicalSorter(needs).prepare()
        except CycleError as error:
            pytest.fail("a circle: " + " <- ".join(error.args[1]), pytrace=False)


@everywhere
def test_whatever_is_referred_to_is_there(environment):
    resources, parameters = stack.resources(environment), stack.parameters(environment)
    for name, body in (resources | stack.outputs(environment)).items():
        for target in stack.references(body):
            known = target in resources or target in parameters or target.startswith("AWS::")
            assert known, f"{name} refers to {target}, which {environment} does not have"


@everywhere
def test_no_stack_is_near_the_limit_of_resources(environment):
    # CloudFormation counts what is declared, whatever conditions say, at most 500 (AWS CloudFormation User Guide, quotas).
    for one in stack.deployed(environment):
        assert len(stack.declared(one, environment)) <= 400, one or "the root"


@everywhere
def test_a_route_has_eight_resources_at_most(environment):
    for one in stack.deployed(environment)[1:]:
        declared = stack.declared(one, environment)
        for name, body in stack.source(one)["Resources"].items():
            if body["Type"] == "AWS::Serverless::Function" and f"{name}Integration" in declared:
                parts = rf"{name}(Role|Logs|Integration|Aliaslive|Version\w+|DeploymentGroup|Errors|Permission)?"
                own = [other for other in declared if re.fullmatch(parts, other)]
                # And one for each key of the gateway's routes, of which a new route has one.
                assert len(own) + 1 <= 8, f"{name}: {own}"


def test_the_origins_of_passkeys_are_those_that_a_function_takes():
    pattern = re.compile(stack.source()["Parameters"]["RelyingPartyOrigins"]["AllowedPattern"])
    app = "android:apk-key-hash:NztP-sfNqy2_XIe4erm4qR-w4eRJ2Dl6JduFbPCYHik"
    for taken in ["", "https://app.example.com", app, f"https://example.com,{app},https://example.com:8443"]:
        assert pattern.fullmatch(taken), taken
    for refused in ["app.example.com", "https://example.com/", f"{app}=", app[:-1], f"{app},", "ios:bundle-id:com.example"]:
        assert not pattern.fullmatch(refused), refused


def test_every_binary_is_the_function_of_its_name_and_vice_versa():
    manifest = tomllib.loads((stack.ROOT / "functions/Cargo.toml").read_text())
    assert set(stack.binaries().values()) == {binary["name"] for binary in manifest["bin"]}
    for name, binary in stack.binaries().items():
        assert name == "".join(word.capitalize() for word in binary.split("_"))


def routes(environment):
    """Method, path and binary of each route of the API, in the spelling of the router table; of the last, `$default`."""
    resources = stack.resources(environment)
    for route in stack.resources(environment, "AWS::ApiGatewayV2::Route").values():
        (integration,) = stack.references(route["Properties"]["Target"])
        (alias,) = stack.references(resources[integration]["Properties"]["IntegrationUri"])
        (function,) = stack.references(resources[alias]["Properties"]["FunctionName"])
        method, _, path = route["Properties"]["RouteKey"].partition(" ")
        yield method, re.sub(r"\{(\w+)\+}", r"{*\1}", path), stack.binaries()[function]


@everywhere
def test_the_api_has_the_routes_of_the_router_table_and_no_others(environment):
    manifest = tomllib.loads((stack.ROOT / "Cargo.toml").read_text())
    table = {("$default", "", "not_found")}
    for path, served in manifest["workspace"]["metadata"]["lambda"]["watch"]["router"].items():
        # By a name alone stands what takes every method: there it is two paths, here it is one route.
        if isinstance(served, list):
            table |= {(entry["method"], path, entry["function"]) for entry in served}
    if "PicturesArea" not in stack.deployed(environment):
        table = {route for route in table if not route[1].endswith("/user/picture")}
    deployed = set(routes(environment))
    missing, unknown = sorted(table - deployed), sorted(deployed - table)
    if missing or unknown:
        pytest.fail(f"the stacks lack {missing}, Cargo.toml's router table lacks {unknown}", pytrace=False)


@everywhere
def test_every_route_is_a_resource_of_the_one_api(environment):
    apis = stack.resources(environment, "AWS::ApiGatewayV2::Api")
    assert list(apis) == ["Api"], "an event of SAM's makes an API of its own"
    assert "Body" not in apis["Api"]["Properties"], "routes in a body are seen by no test"


@everywhere
def test_every_function_logs_into_its_own_group_and_every_group_forgets(environment):
    for name, function in stack.resources(environment, "AWS::Lambda::Function").items():
        assert function["Properties"]["LoggingConfig"] == {"LogGroup": {"Ref": f"{name}Logs"}}, name
    for name, group in stack.resources(environment, "AWS::Logs::LogGroup").items():
        assert group["Properties"]["RetentionInDays"] <= 90, name


def event_sources(environment, stream=False):
    """What invokes functions with messages, or with the changes of a table: its properties and those of the function."""
    resources = stack.resources(environment)
    found = {}
    for name, mapping in stack.resources(environment, "AWS::Lambda::EventSourceMapping").items():
        properties = mapping["Properties"]
        # The mapping invokes the alias, which names the function.
        (alias,) = stack.references(properties["FunctionName"])
        function = resources[resources[alias]["Properties"]["FunctionName"]["Ref"]]["Properties"]
        if ("StartingPosition" in properties) is stream:
            found[name] = properties, function
    return found


@everywhere
def test_table_changes_arrive_in_order_and_failed_ones_are_kept(environment):
    sources = event_sources(environment, stream=True)
    assert set(sources) == {"DispatchWebhooksRecords", "PublishEventsRecords"}
    table = stack.resources(environment).get("Table", {"Properties": {"StreamSpecification": {"StreamViewType": "NEW_IMAGE"}}})
    assert table["Properties"]["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    for name, (properties, _) in sources.items():
        assert properties.get("ParallelizationFactor", 1) == 1, name
        assert properties.get("MaximumRetryAttempts", -1) == -1, name
        # The stream keeps what it has for 24 hours: until then, what fails goes where it is found again.
        assert 0 < properties["MaximumRecordAgeInSeconds"] < 24 * 3600, name
        (kept,) = stack.references(properties["DestinationConfig"]["OnFailure"]["Destination"])
        assert kept == "FailedEventsBucket", name
        assert properties["BisectBatchOnFunctionError"], name
        assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"], name
        assert properties["StartingPosition"] == "TRIM_HORIZON", name


@everywhere
def test_messages_are_invisible_for_six_timeouts_and_dead_letters_kept_14_days(environment):
    resources = stack.resources(environment)
    mappings = event_sources(environment)
    assert len(mappings) == (5 if "PicturesArea" in stack.deployed(environment) else 4)
    for name, (properties, function) in mappings.items():
        (queue_name,) = stack.references(properties["EventSourceArn"])
        queue = resources[queue_name]["Properties"]
        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"], queue_name
        assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"], name
        assert properties["ScalingConfig"]["MaximumConcurrency"] >= 2, name
        (dead_letters,) = stack.references(queue["RedrivePolicy"]["deadLetterTargetArn"])
        assert resources[dead_letters]["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600, dead_letters


def test_a_variable_of_a_function_is_text():
    """CloudFormation makes text of a number; what reads templates elsewhere does not."""
    resources = [item for one in stack.stacks() for item in stack.source(one)["Resources"].items()]
    for name, resource in resources:
        variables = resource.get("Properties", {}).get("Environment", {}).get("Variables", {})
        for variable, value in variables.items():
            assert not isinstance(value, (int, float)), f"{name}, {variable}: {value}"


def test_the_function_has_memory_besides_that_of_the_picture_process():
    image = stack.resources("everything", "AWS::Lambda::Function")["ResizePicture"]["Properties"]
    memory = int(image["Environment"]["Variables"]["PICTURE_MEMORY_MIB"])
    assert 512 <= memory <= image["MemorySize"] - 256


@everywhere
def test_route_settings_are_of_routes_created_before_the_stage(environment):
    (stage,) = stack.resources(environment, "AWS::ApiGatewayV2::Stage").values()
    made_before = {
        route["Properties"]["RouteKey"]
        for area in stage["DependsOn"]
        for route in stack.resources_of(area, environment).values()
        if route["Type"] == "AWS::ApiGatewayV2::Route"
    }
    assert set(stage["Properties"]["RouteSettings"]) <= made_before
    default = stage["Properties"]["DefaultRouteSettings"]["ThrottlingRateLimit"]
    for key, settings in stage["Properties"]["RouteSettings"].items():
        assert settings["ThrottlingRateLimit"] < default, key


@everywhere
def test_every_throttle_exceeds_one_client_and_fits_one_partition(environment):
    (stage,) = stack.resources(environment, "AWS::ApiGatewayV2::Stage").values()
    for key, settings in stage["Properties"]["RouteSettings"].items():
        rate, burst = settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]
        assert rate >= 200, f"{key}: one machine that sends {rate} requests a second shuts the route for everybody"
        # A partition of DynamoDB takes 1,000 writes a second, and in one second a full bucket lets through both.
        assert rate + burst <= 1000, f"{key}: more requests than can be counted"


@everywhere
def test_data_outlives_the_stack_and_is_encrypted(environment):
    resources = stack.resources(environment)
    retained = [name for name, body in resources.items() if body.get("UpdateReplacePolicy") == "Retain"]
    assert sorted(retained) == RETAINED
    for name in retained:
        assert resources[name]["DeletionPolicy"] == "RetainExceptOnCreate", name
    for name, table in stack.resources(environment, "AWS::DynamoDB::Table").items():
        properties = table["Properties"]
        assert properties["SSESpecification"]["KMSMasterKeyId"] == {"Fn::GetAtt": [f"{name}Key", "Arn"]}, name
        assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], name
        protected = stack.environments()[environment]["Stage"] == "production"
        assert properties["DeletionProtectionEnabled"] is protected, name
    for name, key in stack.resources(environment, "AWS::KMS::Key").items():
        assert key["Properties"]["EnableKeyRotation"], name
    for name, bucket in stack.resources(environment, "AWS::S3::Bucket").items():
        assert bucket["Properties"]["BucketEncryption"], name
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}, name
        assert bucket["Properties"]["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}], name
    for name, queue in stack.resources(environment, "AWS::SQS::Queue").items():
        assert queue["Properties"]["SqsManagedSseEnabled"], name


@everywhere
def test_a_deleted_picture_is_out_of_the_cache_within_an_hour(environment):
    policies = stack.resources(environment, "AWS::CloudFront::CachePolicy")
    for name, distribution in stack.resources(environment, "AWS::CloudFront::Distribution").items():
        policy = distribution["Properties"]["DistributionConfig"]["DefaultCacheBehavior"]["CachePolicyId"]
        assert isinstance(policy, dict), f"{name} caches by a policy that is not ours"
        ages = policies[policy["Ref"]]["Properties"]["CachePolicyConfig"]
        assert ages["MinTTL"] <= ages["DefaultTTL"] <= ages["MaxTTL"] <= 3600, name


@pytest.mark.parametrize(
    ("errors", "requests", "rings"),
    [
        (0, 1, False),
        (1, 1, True),
        (1, 2, False),
        (2, 3, True),
        (2, 19, False),
        (3, 200, True),
        (3, 300, False),
        (19, 19, True),
        (100, 10_000, False),
        (101, 10_000, True),
    ],
)
def test_an_outage_alarms_at_any_traffic_and_a_single_failure_does_not(errors, requests, rings):
    alarm = stack.resources("production")["ServerErrors"]["Properties"]
    assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (2, 3)
    [expression] = [metric["Expression"] for metric in alarm["Metrics"] if "Expression" in metric]
    # Metric math reads as Python does, but for these two words.
    expression = expression.replace("IF(", "choose(").replace(" OR ", " or ")
    names = {"choose": lambda test, yes, no: yes if test else no, "errors": errors, "requests": requests}
    assert (eval(expression, names) > alarm["Threshold"]) is rings


# A function whose new version an alarm can judge, because it is called often or works off a queue.
WORKERS = {
    "DeliverWebhooks",
    "DispatchWebhooks",
    "Emailer",
    "ImportUsers",
    "PublishEvents",
    "RecordEmailEvents",
    "ResizePicture",
    "Sweeper",
}
JUDGED = {"Introspect", "Login", "Refresh", "Register"} | WORKERS


@everywhere
def test_production_alone_shifts_traffic_and_only_where_an_alarm_can_judge(environment):
    parameters = stack.environments()[environment]
    groups = stack.resources(environment, "AWS::CodeDeploy::DeploymentGroup")
    expected = JUDGED & stack.resources(environment).keys() if parameters["Stage"] == "production" else set()
    assert set(groups) == {f"{name}DeploymentGroup" for name in expected}
    taken_back = parameters.get("Rollback") != "off"
    for name in expected:
        group = groups[f"{name}DeploymentGroup"]["Properties"]
        own = [{"Name": {"Ref": f"{name}Errors"}}] if name in WORKERS else []
        alarms = [*own, {"Name": {"Ref": "ServerErrors"}}]
        # An empty configuration takes alarms away that an earlier deployment had; a missing one would leave them.
        assert group["AlarmConfiguration"] == ({"Enabled": True, "Alarms": alarms} if taken_back else {}), name
        assert ("Canary" in str(group["DeploymentConfigName"])) is taken_back, name


@everywhere
def test_a_replaced_version_is_deleted_so_its_code_can_be_republished(environment):
    versions = stack.resources(environment, "AWS::Lambda::Version")
    assert len(versions) == len(stack.resources(environment, "AWS::Lambda::Function"))
    for name, version in versions.items():
        assert version["DeletionPolicy"] == "Delete", name


# A second value of each parameter.
OTHER_VALUES = {
    "Stage": "dev",
    "ProductName": "Another",
    "AdminEmail": "other@example.com",
    "UnconfirmedDays": "3",
    "HomeUrl": "https://other.example.com",
    "ChangePasswordUrl": "https://other.example.com/password",
    "LinkBaseUrl": "https://other.example.com/links",
    "CorsOrigins": "https://other.example.com",
    "DomainName": "other.example.com",
    "CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/other",
    "HostedZoneId": "Z0OTHER",
    "MailAddress": "other@example.com",
    "MailDomain": "other.example.com",
    "MailReplyTo": "other@example.com",
    "SupportAddress": "other@example.com",
    "SigningAlgorithm": "RS256",
    "TokenAudience": "other",
    "Claims": "plan:app.plan",
    "ClientId": "other",
    "PasswordMinLength": "15",
    "RelyingPartyId": "other.example.com",
    "RelyingPartyOrigins": "https://other.example.com",
    "IntrospectionClients": "other:" + 64 * "0",
    "LogLevel": "debug",
    "Search": "off",
    "SearchInstanceType": "m7g.medium.search",
    "AlarmEmail": "other@example.com",
    "Rollback": "off",
    "KeepDefaultEndpoint": "off",
    "PublicUrl": "https://other.example.com",
    "FormerPublicUrls": "https://former.example.com",
    "FrontSecretSha256": 64 * "0",
    "Pictures": "https://pictures.example.com",
    "LegacyUserPool": "eu-central-1_a1B2c3D4e",
    "LegacyPasswordUrl": "https://old.example.com/check",
    "LegacyPasswordsUntil": "2027-06-30T00:00:00Z",
    "OperatorMfa": "off",
    "TableName": "restored",
    "KeysTableName": "restored-keys",
    "ActivityDays": "30",
    "EventAddresses": "off",
    "TableStreamArn": "arn:aws:dynamodb:eu-central-1:123456789012:table/other/stream/2026-11-29T12:00:00.000",
    "TableKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/other",
    "KeysTableKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/other-keys",
    "Tracing": "Active",
    "AccountConcurrency": "1000",
    "PermissionsBoundary": "arn:aws:iam::123456789012:policy/boundary",
}


def frozen(functions):
    """What a version keeps of each function: all but the code and the description, which says the configuration's version."""
    left_out = {"Code", "Description", "Tags"}
    return {
        name: {key: value for key, value in body["Properties"].items() if key not in left_out}
        for name, body in functions.items()
    }


@pytest.mark.parametrize("parameter", sorted(stack.source()["Parameters"]))
def test_a_parameter_that_functions_read_makes_new_versions_of_them(parameter):
    other = OTHER_VALUES.get(parameter, "7/7m" if parameter.startswith("Limit") else None)
    assert other is not None, f"{parameter} has no second value in this test"
    changed = stack.changed("everything", {parameter: other})
    functions = {one: stack.resources(one, "AWS::Lambda::Function") for one in ("everything", changed)}
    before, after = (frozen(functions[one]) for one in functions)
    if before == after:
        return
    content = [stack.resources(one)["Configuration"]["Properties"]["Content"] for one in functions]
    assert content[0] != content[1], "the variables of functions change, and the configuration does not"


@everywhere
def test_a_new_configuration_replaces_the_version_of_every_function(environment):
    # A version is replaced when its description changes (CloudFormation); the function's own description changes too, for
    # Lambda publishes no version of a function that is as it was.
    number = {"Fn::GetAtt": ["Configuration", "VersionNumber"]}
    for area in stack.deployed(environment)[1:]:
        assert stack.resources_of("", environment)[area]["Properties"]["Parameters"]["Configuration"] == number, area
        for name, body in stack.resources_of(area, environment).items():
            if body["Type"] in ("AWS::Lambda::Version", "AWS::Lambda::Function"):
                assert "${Configuration}" in body["Properties"]["Description"]["Fn::Sub"], name


def test_rollback_is_on_again_for_the_next_deployment():
    for environment in ("staging", "production"):
        assert stack.environments()[environment]["Rollback"] == "on", f"{environment} keeps what the last one was told"


def test_one_hiccup_of_a_function_rolls_nothing_back():
    for name in WORKERS:
        alarm = stack.resources("everything")[f"{name}Errors"]["Properties"]
        assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (2, 3), name


def test_the_dashboard_searches_functions_by_a_part_of_their_names():
    body = stack.resources("production")["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    body = body[0] if isinstance(body, list) else body
    widgets = json.loads(body)["widgets"]
    entries = [entry for widget in widgets for line in widget["properties"]["metrics"] for entry in line]
    searches = [entry["expression"] for entry in entries if isinstance(entry, dict) and "expression" in entry]
    assert searches
    for search in searches:
        # Between quotes CloudWatch takes a term for the whole name, which CloudFormation ends with letters of its own.
        assert " FunctionName=${AWS::StackName}'" in search, search


def test_no_account_and_no_region_is_written_into_the_template():
    text = "".join(path.read_text() for path in [stack.TEMPLATE, *stack.ROOT.glob("stacks/*.yaml")])
    assert not re.findall(r"\b\d{12}\b", text)
    assert not re.findall(r"\b(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d\b", text)


@pytest.mark.parametrize(
    "parameter, value, taken",
    [
        ("ProductName", "Körner & Söhne", True),
        ("ProductName", 'Smith, Sons & Co.: "Tools" 🛠', True),
        ("ProductName", "A", True),
        ("ProductName", "", False),
        ("ProductName", "  ", False),
        ("ProductName", "Two\r\nLines", False),
        ("ProductName", "a <b>", False),
        ("MailAddress", "No-Reply+x@mail.example.com", True),
        ("MailAddress", "söhne@example.com", False),
        ("MailAddress", "info@söhne.example", False),
        ("MailAddress", '"a b"@example.com', False),
        ("MailAddress", "a@localhost", False),
    ],
)
def test_an_email_parameter_takes_what_the_service_takes(parameter, value, taken):
    pattern = stack.source()["Parameters"][parameter]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, value)) == taken

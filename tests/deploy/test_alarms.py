"""Alarms of the whole service. Those of single functions are made where the functions are."""

import re

import chosen
import pytest
import stack

ALARM = "AWS::CloudWatch::Alarm"


def alarms(**given):
    functions = tuple(chosen.resources(chosen.FUNCTIONS))
    return {
        name: alarm["Properties"]
        for name, alarm in chosen.resources(ALARM, **given).items()
        if name.removesuffix("Errors") not in functions
    }


def metrics(alarm):
    """Namespace, name and dimensions of what an alarm watches."""
    several = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
    for metric in several or [alarm]:
        dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])}
        yield metric["Namespace"], metric["MetricName"], dimensions


def rings(alarm, **values):
    """Whether one datapoint of metric math is over the threshold."""
    (expression,) = [metric["Expression"] for metric in alarm["Metrics"] if "Expression" in metric]
    if isinstance(expression, dict):
        expression = expression["Fn::Sub"]
    # Metric math reads as Python does, but for these words.
    expression = expression.replace("IF(", "choose(").replace(" OR ", " or ").replace(" AND ", " and ")
    values["choose"] = lambda test, yes, no: yes if test else no
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    return eval(expression, values) > alarm["Threshold"]


@pytest.mark.parametrize("stage, watched", [("test", False), ("dev", False), ("staging", True), ("production", True)])
def test_staging_and_production_have_alarms_that_reach_the_topic(stage, watched):
    found = alarms(Stage=stage, Search="on")
    assert bool(found) is watched
    for name, alarm in found.items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}], name
        assert alarm["AlarmDescription"].endswith("."), name
        assert alarm["TreatMissingData"] in ("notBreaching", "breaching", "ignore"), name


@pytest.mark.parametrize(
    "given, tables", [({}, [{"Ref": "Table"}, {"Ref": "KeysTable"}]), (chosen.RESTORED, ["restored", "restored-keys"])]
)
def test_a_table_that_throttles_or_fails_raises_an_alarm(given, tables):
    watched = [
        (name, dimensions)
        for alarm in alarms(Stage="production", **given).values()
        for namespace, name, dimensions in metrics(alarm)
        if namespace == "AWS/DynamoDB"
    ]
    for table in tables:
        of_table = [(name, dimensions) for name, dimensions in watched if dimensions["TableName"] == table]
        for metric in ("ReadThrottleEvents", "WriteThrottleEvents", "SystemErrors"):
            assert [name for name, _ in of_table if name == metric], f"{metric} of {table}"
    indexes = {dimensions.get("GlobalSecondaryIndexName") for _, dimensions in watched} - {None}
    table = stack.source()["Resources"]["Table"]["Properties"]
    assert indexes == {index["IndexName"] for index in table["GlobalSecondaryIndexes"]}


def test_every_call_to_a_table_is_watched_for_failures_of_dynamodb():
    (alarm,) = [alarm for name, alarm in alarms(Stage="production").items() if name == "TableFails"]
    watched = {dimensions["Operation"] for _, _, dimensions in metrics(alarm)}
    call = re.compile(r"\.((?:transact|batch)_(?:get|write)_items?|(?:get|put|update|delete)_item|query|scan)\(\)")
    made = set()
    for source in [*(stack.ROOT / "shared/src").rglob("*.rs"), *(stack.ROOT / "functions/src").rglob("*.rs")]:
        made |= {"".join(word.capitalize() for word in name.split("_")) for name in call.findall(source.read_text())}
    assert made
    assert watched == made


def test_alarms_watch_at_most_ten_metrics():
    # CloudWatch takes ten in an expression of an alarm.
    for name, alarm in alarms(Stage="production", Search="on").items():
        assert len(list(metrics(alarm))) <= 10, name


@pytest.mark.parametrize(
    "refused, requests, expected",
    [(0, 1000, False), (19, 19, False), (20, 100, True), (20, 400, False), (50, 1000, False), (51, 1000, True)],
)
def test_refused_clients_raise_an_alarm_by_their_share(refused, requests, expected):
    assert rings(alarms(Stage="production")["TooManyRequests"], refused=refused, requests=requests) is expected


@pytest.mark.parametrize(
    "refused, requests, expected", [(0, 0.1, False), (99, 99, False), (100, 199, True), (100, 200, False), (300, 1000, False)]
)
def test_client_errors_in_most_answers_raise_an_alarm(refused, requests, expected):
    assert rings(alarms(Stage="production")["ClientErrors"], refused=refused, requests=requests) is expected


@pytest.mark.parametrize(
    "errors, requests, expected",
    [(0, 0.1, False), (4, 4, False), (5, 5, True), (5, 10_000, True), (5, 100_000, False), (101, 1_000_000, True)],
)
def test_few_but_persistent_failures_raise_an_alarm_within_the_hour(errors, requests, expected):
    alarm = alarms(Stage="production")["LingeringErrors"]
    assert {metric["MetricStat"]["Period"] for metric in alarm["Metrics"] if "MetricStat" in metric} == {3600}
    assert (alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (1, 1)
    assert rings(alarm, errors=errors, requests=requests) is expected


def access_log_line(**values):
    form = chosen.resources()["ApiStage"]["Properties"]["AccessLogSettings"]["Format"]
    return re.sub(r"\$context\.([\w.]+)", lambda found: values.get(found[1], "429429"), form)


def test_the_access_log_counts_answers_429_and_no_others():
    made = chosen.resources(Stage="production")
    filter_ = made["RefusedRequests"]["Properties"]
    assert filter_["LogGroupName"] == {"Ref": "ApiLogs"}
    pattern = filter_["FilterPattern"]
    # A regular expression between per cent signs, of what CloudWatch Logs takes in one.
    assert pattern.startswith("%") and pattern.endswith("%")
    pattern = pattern.strip("%")
    assert re.fullmatch(r"[A-Za-z0-9:_#=@/;,\-^$?\[\]{}|\\*+.]+", pattern)
    assert re.search(pattern, access_log_line(status="429"))
    for status in ("200", "400", "403", "503"):
        assert not re.search(pattern, access_log_line(status=status)), status
    (transformation,) = filter_["MetricTransformations"]
    watched = list(metrics(alarms(Stage="production")["TooManyRequests"]))
    assert (transformation["MetricNamespace"], transformation["MetricName"], {}) in watched


def test_a_signing_key_without_a_successor_raises_an_alarm():
    made = chosen.resources(Stage="production")
    filter_ = made["SigningKeyAge"]["Properties"]
    assert filter_["LogGroupName"] == {"Fn::Sub": "/aws/lambda/${AWS::StackName}/sweeper"}
    (transformation,) = filter_["MetricTransformations"]
    field = transformation["MetricValue"].removeprefix("$.")
    # A name with dots would be looked for in objects within objects.
    assert re.fullmatch(r"\w+", field)
    assert filter_["FilterPattern"] == f"{{ $.{field} >= 0 }}"
    alarm = alarms(Stage="production")["SigningKeyOld"]
    assert list(metrics(alarm)) == [(transformation["MetricNamespace"], transformation["MetricName"], {})]
    keys = (stack.ROOT / "shared/src/domain/keys.rs").read_text()
    hours = eval(re.search(r"ROTATION: Duration = Duration::from_hours\(([\d *]+)\)", keys)[1])
    assert hours < alarm["Threshold"] <= hours + 48


@pytest.mark.parametrize(
    "limit, claimed, expected", [("10", 8, False), ("10", 9, True), ("1000", 800, False), ("1000", 801, True)]
)
def test_concurrency_that_runs_out_raises_an_alarm_before_requests_are_refused(limit, claimed, expected):
    alarm = alarms(Stage="production")["ConcurrencyUsed"]
    assert list(metrics(alarm)) == [("AWS/Lambda", "ClaimedAccountConcurrency", {})]
    (expression,) = [metric for metric in alarm["Metrics"] if "Expression" in metric]
    expression["Expression"] = expression["Expression"]["Fn::Sub"].replace("${AccountConcurrency}", limit)
    assert rings(alarm, claimed=claimed) is expected


@pytest.mark.parametrize("pictures", ["off", "on"])
def test_a_queue_with_an_age_alarm_has_a_consumer(pictures):
    given = {"Stage": "production", "Pictures": pictures}
    watched = {
        dimensions["QueueName"]["Fn::GetAtt"][0]
        for alarm in alarms(**given).values()
        for _, name, dimensions in metrics(alarm)
        if name == "ApproximateAgeOfOldestMessage"
    }
    consumed = set()
    for area, nested in chosen.resources("AWS::CloudFormation::Stack", **given).items():
        for function in stack.source(area)["Resources"].values():
            for event in function.get("Properties", {}).get("Events", {}).values():
                if event["Type"] == "SQS":
                    # A parameter of the area, which the root gives a queue.
                    consumed.add(nested["Properties"]["Parameters"][event["Properties"]["Queue"]["Ref"]]["Fn::GetAtt"][0])
    assert "MailQueue" in watched and watched <= consumed

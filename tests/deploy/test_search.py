"""Logs: where the stream leads with and without an OpenSearch domain, and how one is turned into the other."""

import chosen
import pytest
import stack

S3, OPENSEARCH = "ExtendedS3DestinationConfiguration", "AmazonopensearchserviceDestinationConfiguration"


@pytest.mark.parametrize("search, stream, destination", [("off", "LogStream", S3), ("on", "SearchStream", OPENSEARCH)])
def test_each_destination_has_a_stream_of_its_own(search, stream, destination):
    streams = chosen.resources("AWS::KinesisFirehose::DeliveryStream", Search=search)
    # Firehose cannot turn one kind of destination into another (UpdateDestination).
    assert list(streams) == [stream]
    assert {S3, OPENSEARCH} & streams[stream]["Properties"].keys() == {destination}
    assert chosen.variables(Search=search)["LOG_STREAM"] == {"Ref": stream}


@pytest.mark.parametrize("search, stream", [("off", "LogStream"), ("on", "SearchStream")])
def test_functions_and_the_alarm_follow_the_stream_that_is_there(search, stream):
    made = chosen.resources(Stage="production", Search=search)
    (ships,) = [
        one for one in made["EveryFunction"]["Properties"]["PolicyDocument"]["Statement"] if one["Sid"] == "ShipLogs"
    ]
    assert ships["Resource"] == {"Fn::GetAtt": [stream, "Arn"]}
    assert made["LogsStuck"]["Properties"]["Dimensions"] == [{"Name": "DeliveryStreamName", "Value": {"Ref": stream}}]


def test_no_environment_pays_for_a_domain_unasked():
    for environment, given in stack.environments().items():
        if environment != "everything":
            assert given.get("Search", "off") == "off", environment


def test_a_newer_engine_keeps_the_indexes():
    domain = chosen.resources(Search="on")["SearchDomain"]
    assert domain["UpdatePolicy"] == {"EnableVersionUpgrade": True}


@pytest.mark.parametrize("metric", ["ClusterIndexWritesBlocked", "ClusterStatus.red", "FreeStorageSpace", "JVMMemoryPressure"])
def test_a_search_domain_that_accepts_no_more_lines_raises_an_alarm(metric):
    def watched(**given):
        alarms = chosen.resources("AWS::CloudWatch::Alarm", **given).values()
        return [alarm["Properties"].get("MetricName") for alarm in alarms]

    assert metric in watched(Stage="production", Search="on")
    assert metric not in watched(Stage="production", Search="off")
    assert metric not in watched(Stage="dev", Search="on")

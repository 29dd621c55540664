"""The API, its names and its access log."""

import json
import re

import chosen
import pytest
import stack

DOMAIN = {
    "DomainName": "users.example.com",
    "CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/example",
    "HostedZoneId": "Z0EXAMPLE",
}
ENDPOINT = "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}"
DEFAULT_ENDPOINT = {"Fn::Sub": ENDPOINT}
# What a client writes into a request, so that quotes in it would be quotes of the log's.
WRITTEN_BY_CLIENTS = {
    "domainName",
    "domainPrefix",
    "identity.userAgent",
    "path",
    "protocol",
}


def test_clients_reach_the_api_over_ipv6():
    assert chosen.resources()["Api"]["Properties"]["IpAddressType"] == "dualstack"


def test_clients_reach_a_domain_over_ipv6():
    made = chosen.resources(**DOMAIN)
    (configuration,) = made["ApiDomain"]["Properties"]["DomainNameConfigurations"]
    assert configuration["IpAddressType"] == "dualstack"
    records = chosen.resources("AWS::Route53::RecordSet", **DOMAIN).values()
    assert sorted(record["Properties"]["Type"] for record in records) == ["A", "AAAA"]
    targets = [record["Properties"]["AliasTarget"] for record in records]
    assert targets[0] == targets[1] == {
        "DNSName": {"Fn::GetAtt": ["ApiDomain", "RegionalDomainName"]},
        "HostedZoneId": {"Fn::GetAtt": ["ApiDomain", "RegionalHostedZoneId"]},
    }


@pytest.mark.parametrize(
    "given, closed",
    [
        ({}, False),
        (DOMAIN, False),
        ({"KeepDefaultEndpoint": "off"}, False),
        (DOMAIN | {"KeepDefaultEndpoint": "off"}, True),
    ],
)
def test_the_default_endpoint_closes_only_when_told_and_replaced(given, closed):
    assert chosen.resources(**given)["Api"]["Properties"]["DisableExecuteApiEndpoint"] is closed


@pytest.mark.parametrize(
    "given, url, shown",
    [
        ({}, DEFAULT_ENDPOINT, "${Api.ApiEndpoint}"),
        (DOMAIN, {"Fn::Sub": "https://${DomainName}"}, "https://${DomainName}"),
        (DOMAIN | {"PublicUrl": "https://id.example.com"}, "https://id.example.com", "${PublicUrl}"),
        ({"PublicUrl": "https://id.example.com"}, "https://id.example.com", "${PublicUrl}"),
    ],
)
def test_the_public_url_is_the_one_given_or_the_best_there_is(given, url, shown):
    assert chosen.variables(**given)["PUBLIC_URL"] == url
    assert chosen.outputs(**given)["ApiUrl"]["Value"] == {"Fn::Sub": f"{shown}/api/v1"}


@pytest.mark.parametrize(
    "given, former",
    [
        ({}, ""),
        (DOMAIN, DEFAULT_ENDPOINT),
        ({"PublicUrl": "https://id.example.com"}, DEFAULT_ENDPOINT),
        (DOMAIN | {"KeepDefaultEndpoint": "off"}, ""),
        (DOMAIN | {"KeepDefaultEndpoint": "off", "FormerPublicUrls": "https://old.example.com"}, "https://old.example.com"),
        (
            DOMAIN | {"FormerPublicUrls": "https://old.example.com"},
            {"Fn::Sub": "${FormerPublicUrls}," + ENDPOINT},
        ),
    ],
)
def test_tokens_of_a_former_public_url_are_still_known(given, former):
    assert chosen.variables(**given)["FORMER_PUBLIC_URLS"] == former


@pytest.mark.parametrize(
    "parameter, value, taken",
    [
        ("PublicUrl", "", True),
        ("PublicUrl", "https://users.example.com", True),
        ("PublicUrl", "https://users.example.com/", False),
        ("PublicUrl", "https://users.example.com/api/v1", False),
        ("PublicUrl", "http://users.example.com", False),
        ("FormerPublicUrls", "", True),
        ("FormerPublicUrls", "https://a.example.com,https://b.example.com", True),
        ("FormerPublicUrls", "https://a.example.com, https://b.example.com", False),
        ("FormerPublicUrls", "https://a.example.com,", False),
        ("FormerPublicUrls", "a.example.com", False),
        ("FrontSecretSha256", "", True),
        ("FrontSecretSha256", "a" * 64, True),
        ("FrontSecretSha256", "a" * 63, False),
        ("FrontSecretSha256", "A" * 64, False),
        ("FrontSecretSha256", f"{'a' * 64},{'b' * 64}", True),
        ("FrontSecretSha256", f"{'a' * 64},{'b' * 64},{'c' * 64}", False),
    ],
)
def test_a_parameter_of_the_api_takes_what_the_service_takes(parameter, value, taken):
    pattern = stack.source()["Parameters"][parameter]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, value)) == taken


def test_functions_know_a_fronts_secret_by_its_hash_alone():
    assert chosen.variables(FrontSecretSha256="a" * 64)["FRONT_SECRET_SHA256"] == "a" * 64


@pytest.mark.parametrize(
    "given, taken",
    [
        ({}, True),
        ({"FrontSecretSha256": "a" * 64}, False),
        ({"FrontSecretSha256": "a" * 64, "PublicUrl": "https://id.example.com"}, True),
    ],
)
def test_a_front_has_a_url_that_links_lead_to(given, taken):
    assert chosen.accepts("FrontNeedsPublicUrl", **given) is taken


def test_the_access_log_holds_nothing_that_a_client_wrote():
    settings = chosen.resources()["ApiStage"]["Properties"]["AccessLogSettings"]
    variables = re.findall(r"\$context\.([\w.]+)", settings["Format"])
    assert variables
    # API Gateway escapes no quotes, so these could end a field and begin others.
    assert not WRITTEN_BY_CLIENTS & set(variables)
    line = re.sub(r"\$context\.[\w.]+", "x", settings["Format"])
    assert len(json.loads(line)) == len(variables)

"""Where the templates can be deployed, by the resource types that CloudFormation has in each region."""

import re

import pytest
import stack
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

# The others lack types of SES or, as GovCloud, of CloudFront.
REGIONS = """
af-south-1 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2 ap-southeast-3
ap-southeast-5 ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-west-1 eu-west-2 eu-west-3
il-central-1 me-central-1 me-south-1 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2
""".split()


def types(environment="everything"):
    return {body["Type"] for name in stack.stacks() for body in stack.declared(name, environment).values()}


def missing(region, kinds):
    # Asked for a type that a region does not have, it raises an error of its own.
    def known(kind):
        try:
            return bool(PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, kind))
        except Exception:
            return False

    return sorted(kind for kind in kinds if not known(kind))


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_that_is_meant_has_every_type(region):
    # CloudFormation refuses a template with a type that it does not know, also under a condition that is false.
    assert not missing(region, types())


def test_the_list_of_regions_is_whole():
    from cfnlint.helpers import REGIONS as KNOWN

    public = {region for region in KNOWN if re.fullmatch(r"(af|ap|ca|eu|il|me|mx|sa|us)-[a-z]+-\d", region)}
    assert {region for region in public if not missing(region, types())} == set(REGIONS)


@pytest.mark.parametrize("name", ["front", "global"])
def test_what_is_for_us_east_1_alone_is_to_be_had_there(name):
    template = stack.yaml_parse((stack.ROOT / f"deploy/{name}.yaml").read_text())
    assert not missing("us-east-1", {resource["Type"] for resource in template["Resources"].values()})


def test_the_docs_name_the_same_regions():
    text = (stack.ROOT / "docs/deploying.md").read_text()
    (line,) = re.findall(r"^\| can \| (.*) \|$", text, re.MULTILINE)
    assert set(re.findall(r"[a-z]{2}-[a-z]+-\d", line)) == set(REGIONS)

"""Room for the routes to come: the stacks as they would be with 150 more."""

import copy

import stack

ROUTES = 150
IN_AN_AREA = 12
# Of CloudFormation's 500 in one template, of SAM's parameters of a nested application, and of API Gateway's routes and
# integrations of one API.
RESOURCES, PARAMETERS, OF_THE_API = 400, 60, 300


def area_of(count):
    """An area with so many copies of a route that is signed in and has a body."""
    template = stack.source("FactorsArea")
    # The gateway's route is named after its method and path.
    key = "PutApiV1UserPasskeysIdRoute"
    route = {name: body for name, body in template["Resources"].items() if name.startswith("RenamePasskey") or name == key}
    gateway = template["Resources"]["FactorsGatewayRole"]
    template["Resources"] = {}
    for number in range(count):
        for name, body in route.items():
            copied = renamed(copy.deepcopy(body), f"Route{number}")
            copy_name = name.replace("RenamePasskey", f"Route{number}").replace(key, f"Route{number}Route")
            template["Resources"][copy_name] = copied
    aliases = [{"Ref": f"Route{number}.Alias"} for number in range(count)]
    gateway["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]["Resource"] = aliases
    template["Resources"]["FactorsGatewayRole"] = gateway
    return template


def renamed(node, name):
    if isinstance(node, dict):
        return {key: renamed(value, name) for key, value in node.items()}
    if isinstance(node, list):
        return [renamed(value, name) for value in node]
    return node.replace("RenamePasskey", name) if isinstance(node, str) else node


def test_an_area_of_a_dozen_routes_is_far_from_the_limit():
    area = area_of(IN_AN_AREA)
    expanded = stack.expand(area, {"Stage": "production"})
    # Two resources of a route are those of its version and its alias, one role is of the area.
    assert len(expanded["Resources"]) == IN_AN_AREA * 7 + 1 <= RESOURCES
    assert len(area["Parameters"]) <= PARAMETERS


def test_areas_of_many_more_routes_fit_into_the_root():
    areas = -(-ROUTES // IN_AN_AREA)
    assert len(stack.declared(stack.ROOT_STACK, "everything")) + areas <= RESOURCES


def test_the_api_has_room_for_so_many_routes():
    for kind in ("Route", "Integration"):
        found = stack.resources("everything", f"AWS::ApiGatewayV2::{kind}")
        assert len(found) + ROUTES <= OF_THE_API, kind


def test_no_area_has_more_parameters_than_sam_takes():
    for area in stack.stacks()[1:]:
        assert len(stack.source(area)["Parameters"]) <= PARAMETERS, area

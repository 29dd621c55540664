//! The regions of the root template that repeat the areas.

use functions::{AREAS, routes};
use shared::domain::limit::Limit;
use shared::http::{Area, Route};

use crate::output::{Output, camel_case};
use crate::stack;
use crate::variables;

pub const TEMPLATE: &str = "template.yaml";

pub fn write(output: &mut Output) -> Result<(), String> {
    output.region(TEMPLATE, "group of limits", &limit_group())?;
    output.region(TEMPLATE, "limits", &limits())?;
    output.region(TEMPLATE, "configuration", &configuration())?;
    output.region(TEMPLATE, "areas", &areas())?;
    output.region(TEMPLATE, "dependencies of the stage", &dependencies())?;
    output.region(TEMPLATE, "throttles", &throttles())
}

fn limit_group() -> String {
    let parameters: Vec<_> = Limit::ALL.iter().map(|limit| camel_case(limit.variable())).collect();
    format!("        Parameters: [{}]", parameters.join(", "))
}

/// A parameter for each limit.
fn limits() -> String {
    let parameters = Limit::ALL.iter().map(|limit| {
        let (parameter, counted, rate) = (camel_case(limit.variable()), limit.counted(), limit.default_rate());
        format!(
            "  {parameter}:
    Type: String
    Default: \"\"
    AllowedPattern: \"|off|[1-9][0-9]*/[1-9][0-9]*[smhd]\"
    Description: {counted} per IPv4 address or IPv6 /64 at most, such as 30/5m, or off. Empty means {rate}.\n"
        )
    });
    parameters.collect()
}

fn configuration() -> String {
    let lines = variables::all()
        .into_iter()
        .map(|variable| format!("          - !Join [\"=\", [{}, {}]]\n", variable.name, variable.value));
    // A property of a version that is no variable.
    let tracing = "          - !Join [\"=\", [tracing, !Ref Tracing]]\n".to_owned();
    lines.chain([tracing]).collect()
}

/// Two or three areas at a time: Lambda's control plane takes 15 requests a second, of the whole account.
fn areas() -> String {
    let mut text = String::new();
    let mut before: Vec<&str> = Vec::new();
    for area in AREAS {
        text += &format!("  {}:\n    Type: AWS::CloudFormation::Stack\n", id(area.name));
        if let Some(before) = before.len().checked_sub(2).map(|at| before[at]) {
            text += &format!("    DependsOn: {}\n", id(before));
        }
        match condition(&area) {
            // What may be left out is waited for by none. cfn-lint sees that a value is for stacks without it.
            Some(condition) => {
                text += &format!(
                    "    Condition: {condition}\n    Metadata: {{cfn-lint: {{config: {{ignore_checks: [W1028]}}}}}}\n"
                );
            }
            None => before.push(area.name),
        }
        text += &format!("    Properties:\n      TemplateURL: stacks/{}.yaml\n      Parameters:\n", area.name);
        let own = stack::parameters(&area).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = variables::of_area(&area).into_iter().map(|variable| (variable.parameter, variable.value));
        for (name, value) in own.chain(variables) {
            text += &format!("        {name}: {value}\n");
        }
        text += "\n";
    }
    text.trim_end().to_owned()
}

/// The condition of the root template that an area is deployed under, if it may be left out.
fn condition(area: &Area) -> Option<&'static str> {
    (area.name == "pictures").then_some("HasPictures")
}

fn id(area: &str) -> String {
    format!("{}Area", camel_case(area))
}

/// Settings of a route need the route.
fn dependencies() -> String {
    let areas: Vec<_> =
        AREAS.iter().filter(|area| area.routes.iter().any(is_throttled)).map(|area| id(area.name)).collect();
    format!("    DependsOn: [{}]", areas.join(", "))
}

/// A client's requests are counted on one partition of the table, which takes 1,000 writes a second, and a full bucket lets
/// through its rate and its burst in one.
fn throttles() -> String {
    let mut text = String::new();
    for route in routes().filter(|route| is_throttled(route)) {
        let keys = stack::route_keys(route);
        for (_, key) in &keys {
            let (rate, burst) = (400 / keys.len(), 500 / keys.len());
            text += &format!("        {key}: {{ThrottlingRateLimit: {rate}, ThrottlingBurstLimit: {burst}}}\n");
        }
    }
    text
}

/// Routes that count requests, and those that hash for people who are not signed in.
fn is_throttled(route: &Route) -> bool {
    let signed_in = || route.operations.iter().any(|operation| operation.credentials().is_some());
    route.limit.is_some() || (route.hashes && !signed_in())
}

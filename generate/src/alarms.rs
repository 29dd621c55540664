//! The alarms of the whole service, in staging and production: what people notice, and what they would notice next.

use Missing::{Breaches, Holds, Ignored};
use functions::pictures::resize_picture;
use functions::webhooks::dispatch_webhooks;
use functions::workers::{emailer, publish_events, sweeper};
use shared::http::{TIMEOUT, Worker};

use crate::output::Output;
use crate::root::TEMPLATE;

const API: (&str, &str) = ("ApiId", "!Ref Api");
const MAIN_TABLE: (&str, &str) = ("TableName", "!If [MakesTables, !Ref Table, !Ref TableName]");
const KEYS_TABLE: (&str, &str) = ("TableName", "!If [MakesTables, !Ref KeysTable, !Ref KeysTableName]");
const EMAILER: (&str, &str) = ("FunctionName", "!GetAtt WorkersArea.Outputs.Emailer");
const PUBLISHER: (&str, &str) = ("FunctionName", "!GetAtt WorkersArea.Outputs.PublishEvents");
const DISPATCHER: (&str, &str) = ("FunctionName", "!GetAtt WebhooksArea.Outputs.DispatchWebhooks");
const SWEEPER: (&str, &str) = ("FunctionName", "!GetAtt WorkersArea.Outputs.Sweeper");
const RESIZE_PICTURE: (&str, &str) = ("FunctionName", "!GetAtt PicturesArea.Outputs.ResizePicture");
const SEARCH: [(&str, &str); 2] = [("DomainName", "!Ref SearchDomain"), ("ClientId", "!Ref AWS::AccountId")];
const MINUTE: u32 = 60;
const HOUR: u32 = 3600;

pub fn write(output: &mut Output) -> Result<(), String> {
    let text: Vec<_> = alarms().iter().map(Alarm::yaml).collect();
    output.region(TEMPLATE, "alarms", text.join("\n").trim_end())
}

fn alarms() -> Vec<Alarm> {
    [requests(), functions(), tables(), queues(), keys_and_emails(), logs()].concat()
}

fn requests() -> Vec<Alarm> {
    let requests = |period| Metric::new("AWS/ApiGateway", "Count", &[API]).each(period, "SampleCount");
    let answers = |class, period| Metric::new("AWS/ApiGateway", class, &[API]).each(period, "Sum");
    vec![
        // A failure that a function answers with 500 is none to Lambda, so this one also brings deployments back. Of a handful of
        // requests one or two failures are no rate, unless they are most of them: that is an outage.
        Alarm::new("ServerErrors", "More than 1% of requests fail.")
            .computes("rate", "IF(errors >= 3 OR errors * 2 > requests, 100 * errors / requests, 0)", "Failed requests, per cent")
            .of("errors", answers("5xx", MINUTE))
            .of("requests", requests(MINUTE))
            .above("1", 3, Some(2)),
        // What ServerErrors does not see: a route that always fails and is rarely called, such as the one that deletes an account.
        Alarm::new("LingeringErrors", "At least five requests failed within an hour, and more than 0.01% of them.")
            .computes("shown", "IF(errors >= 5, 100 * errors / requests, 0)", "Failed requests, per cent")
            .of("errors", answers("5xx", HOUR))
            .of("requests", requests(HOUR))
            .above("0.01", 1, Some(1)),
        // By API Gateway's throttle, which is one for all clients of a route, or by a limit for each address.
        Alarm::new("TooManyRequests", "More than 5% of requests are throttled with 429. The access log shows the routes.")
            .computes("shown", "IF(refused >= 20, 100 * refused / requests, 0)", "Throttled requests, per cent")
            .of("refused", Metric::new("!Ref AWS::StackName", "RefusedRequests", &[]).each(MINUTE, "Sum"))
            .of("requests", requests(MINUTE))
            .above("5", 5, Some(3)),
        Alarm::new(
            "ClientErrors",
            "More than half of all requests are rejected. A front end is broken, or passwords or tokens are being guessed.",
        )
        .computes("shown", "IF(refused >= 100, 100 * refused / requests, 0)", "Rejected requests, per cent")
        .of("refused", answers("4xx", 5 * MINUTE))
        .of("requests", requests(5 * MINUTE))
        .above("50", 3, Some(3)),
        // The API's metric, as one slow route is enough.
        Alarm::new("SlowAnswers", format!("1% of responses take most of a function's {TIMEOUT} seconds."))
            .on(Metric::new("AWS/ApiGateway", "IntegrationLatency", &[API]).each(5 * MINUTE, "p99"))
            .above(most_of(TIMEOUT), 3, Some(2)),
    ]
}

fn functions() -> Vec<Alarm> {
    let runs = |metric| Metric::new("AWS/Lambda", metric, &[SWEEPER]).each(15 * MINUTE, "Sum");
    vec![
        slow("SlowEmailer", "The emailer", &emailer::WORKER, EMAILER),
        slow("SlowImage", "The resizing of a picture", &resize_picture::WORKER, RESIZE_PICTURE)
            .when("HasWatchedPictures"),
        slow("SlowPublisher", "The publishing of events", &publish_events::WORKER, PUBLISHER),
        slow("SlowDispatcher", "The enqueuing of events for webhooks", &dispatch_webhooks::WORKER, DISPATCHER),
        // What a stream's consumer fails at it tries again, and nothing after it goes on.
        stuck("EventsStuck", "Events have waited for five minutes to be published.", PUBLISHER),
        stuck("WebhookEventsStuck", "Events have waited for five minutes to be enqueued for webhooks.", DISPATCHER),
        slow("SlowSweeper", "The sweeper", &sweeper::WORKER, SWEEPER),
        // Of all functions in the account and region: they share one limit, so one that is throttled tells of all.
        Alarm::new("Throttles", "Lambda throttles invocations; the concurrency quota of the account is reached.")
            .on(Metric::new("AWS/Lambda", "Throttles", &[]).each(MINUTE, "Sum"))
            .above("0", 5, Some(3)),
        Alarm::new(
            "ConcurrencyUsed",
            "The account uses more than 80 % of its Lambda concurrency quota. Request an increase.",
        )
        .computes("shown", "!Sub 100 * claimed / ${AccountConcurrency}", "Concurrency in use, per cent")
        .of("claimed", Metric::new("AWS/Lambda", "ClaimedAccountConcurrency", &[]).each(MINUTE, "Maximum"))
        .above("80", 5, Some(3)),
        // Silence is the symptom here: nothing would go out again that got stuck, and no new signing key would be made. It rings
        // once while a new stack has not been up for a minute.
        Alarm::new("SweeperSilent", "The sweeper has not succeeded for 15 minutes.")
            .computes("succeeded", "invocations - errors", "Runs that succeeded")
            .of("invocations", runs("Invocations"))
            .of("errors", runs("Errors"))
            .compares("LessThanThreshold", "1", 1, None)
            .without_data(Breaches),
    ]
}

fn slow(
    name: &'static str,
    what: &str,
    Worker { timeout, .. }: &Worker,
    function: (&'static str, &'static str),
) -> Alarm {
    Alarm::new(name, format!("{what} is close to its timeout of {timeout} seconds."))
        .on(Metric::new("AWS/Lambda", "Duration", &[function]).each(5 * MINUTE, "p99"))
        .above(most_of(*timeout), 3, Some(2))
}

fn stuck(name: &'static str, description: &'static str, function: (&'static str, &'static str)) -> Alarm {
    Alarm::new(name, description)
        .on(Metric::new("AWS/Lambda", "IteratorAge", &[function]).each(MINUTE, "Maximum"))
        .above("300000", 3, None)
}

/// Four fifths of a timeout, in milliseconds.
fn most_of(timeout: u32) -> String {
    (timeout * 800).to_string()
}

/// A new table on demand takes 4,000 writes a second, later twice its last peak, and one partition of it takes 1,000.
fn tables() -> Vec<Alarm> {
    const MAIN: [&str; 8] = [
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "TransactWriteItems",
        "UpdateItem",
    ];
    const KEYS: [&str; 4] = ["DeleteItem", "GetItem", "PutItem", "Query"];
    vec![
        throttled(
            "TableThrottled",
            "DynamoDB throttles the main table or one of its indexes. Functions retry; users wait and then get 503.",
            MAIN_TABLE,
            &["list", "pending"],
        ),
        throttled("KeysTableThrottled", "DynamoDB throttles the table of private keys.", KEYS_TABLE, &[]).of_keys(),
        failing(
            "TableFails",
            "Calls to the main table have failed for minutes. Check the AWS Health Dashboard and the table's KMS key.",
            MAIN_TABLE,
            &MAIN,
        ),
        failing(
            "KeysTableFails",
            "Calls to the table of private keys have failed for minutes. Check the AWS Health Dashboard and its KMS key.",
            KEYS_TABLE,
            &KEYS,
        )
        .of_keys(),
    ]
}

fn throttled(
    name: &'static str,
    description: &'static str,
    table: (&'static str, &'static str),
    indexes: &[&'static str],
) -> Alarm {
    let mut alarm =
        Alarm::new(name, description).computes("shown", "SUM(FILL(METRICS(), 0))", "Throttled reads and writes");
    for (id, metric) in [("reads", "ReadThrottleEvents"), ("writes", "WriteThrottleEvents")] {
        alarm = alarm.of(id, Metric::new("AWS/DynamoDB", metric, &[table]).each(MINUTE, "Sum"));
        for index in indexes {
            let dimensions = [table, ("GlobalSecondaryIndexName", index)];
            alarm =
                alarm.of(format!("{id}_{index}"), Metric::new("AWS/DynamoDB", metric, &dimensions).each(MINUTE, "Sum"));
        }
    }
    alarm.above("0", 5, Some(3))
}

fn failing(
    name: &'static str,
    description: &'static str,
    table: (&'static str, &'static str),
    operations: &[&'static str],
) -> Alarm {
    let mut alarm = Alarm::new(name, description).computes("shown", "SUM(FILL(METRICS(), 0))", "Failed calls");
    for operation in operations {
        let id = operation[..1].to_lowercase() + &operation[1..];
        let dimensions = [table, ("Operation", operation)];
        alarm = alarm.of(id, Metric::new("AWS/DynamoDB", "SystemErrors", &dimensions).each(MINUTE, "Sum"));
    }
    alarm.above("0", 5, Some(3))
}

fn queues() -> Vec<Alarm> {
    let age = |queue| {
        Metric::new("AWS/SQS", "ApproximateAgeOfOldestMessage", &[("QueueName", queue)]).each(MINUTE, "Maximum")
    };
    let messages = |queue| {
        Metric::new("AWS/SQS", "ApproximateNumberOfMessagesVisible", &[("QueueName", queue)]).each(MINUTE, "Maximum")
    };
    vec![
        Alarm::new("MailAge", "An email has waited for five minutes.")
            .on(age("!GetAtt MailQueue.QueueName"))
            .above("300", 3, None),
        Alarm::new("EmailEventsAge", "A report from SES about an email has waited for five minutes.")
            .on(age("!GetAtt EmailEventsQueue.QueueName"))
            .above("300", 3, None),
        Alarm::new(
            "EmailEventsDeadLettersAlarm",
            "A report from SES about an email could not be processed in five attempts.",
        )
        .on(messages("!GetAtt EmailEventsDeadLetters.QueueName"))
        .above("0", 1, None),
        Alarm::new("WebhookAge", "A webhook has waited for delivery for five minutes.")
            .on(age("!GetAtt WebhookQueue.QueueName"))
            .above("300", 3, None),
        Alarm::new(
            "WebhookDeadLettersAlarm",
            "A message about a webhook failed five times. The sweeper enqueues the webhook again.",
        )
        .on(messages("!GetAtt WebhookDeadLetters.QueueName"))
        .above("0", 1, None),
        Alarm::new("ImageAge", "An upload has waited for five minutes.")
            .when("HasWatchedPictures")
            .on(age("!GetAtt ImageQueue.QueueName"))
            .above("300", 3, None),
        Alarm::new(
            "MailDeadLettersAlarm",
            "A message about an email failed five times. The sweeper retries the email for a day.",
        )
        .on(messages("!GetAtt MailDeadLetters.QueueName"))
        .above("0", 1, None),
        Alarm::new("ImageDeadLettersAlarm", "An upload could not be resized in five attempts.")
            .when("HasWatchedPictures")
            .on(messages("!GetAtt ImageDeadLetters.QueueName"))
            .above("0", 1, None),
        Alarm::new("ImportAge", "A part of an import has waited for five minutes.")
            .on(age("!GetAtt ImportQueue.QueueName"))
            .above("300", 3, None),
        Alarm::new(
            "ImportDeadLettersAlarm",
            "A part of an import failed five times. Its accounts are missing until the import is repeated.",
        )
        .on(messages("!GetAtt ImportDeadLetters.QueueName"))
        .above("0", 1, None),
    ]
}

fn keys_and_emails() -> Vec<Alarm> {
    // The rates of the account, as it is the account that SES reviews, at 5 and 0.1 per cent, and stops, at 10 and 0.5. A rate
    // comes with the emails that it is about: without any it is what it was.
    let reputation = |metric| Metric::new("AWS/SES", metric, &[]).each(HOUR, "Average");
    vec![
        // The sweeper says in each run how old the newest key is. Once a key is 30 days old there is a new one.
        Alarm::new(
            "SigningKeyOld",
            "The newest signing key is a day older than its 30 days. See the sweeper's log for why there is no new one.",
        )
        .on(Metric::new("!Ref AWS::StackName", "SigningKeyAge", &[]).each(HOUR, "Maximum"))
        .above("744", 1, None)
        // It says so each minute, unless LogLevel leaves the line out.
        .without_data(Breaches),
        Alarm::new(
            "MailBounces",
            "3% of the emails of this account bounce. AWS reviews the account at 5% and pauses its sending at 10%.",
        )
        .on(reputation("Reputation.BounceRate"))
        .compares("GreaterThanOrEqualToThreshold", "0.03", 1, None)
        .without_data(Ignored),
        Alarm::new(
            "MailComplaints",
            "0.08% of the emails of this account are marked as spam. AWS reviews the account at 0.1%.",
        )
        .on(reputation("Reputation.ComplaintRate"))
        .compares("GreaterThanOrEqualToThreshold", "0.0008", 1, None)
        .without_data(Ignored),
    ]
}

/// Those of the domain as AWS advises:
/// <https://docs.aws.amazon.com/opensearch-service/latest/developerguide/cloudwatch-alarms.html>
fn logs() -> Vec<Alarm> {
    let domain = |metric, period, statistic| Metric::new("AWS/ES", metric, &SEARCH).each(period, statistic);
    let freshness = "!If [HasSearch, DeliveryToAmazonOpenSearchService.DataFreshness, DeliveryToS3.DataFreshness]";
    let stream = ("DeliveryStreamName", "!If [HasSearch, !Ref SearchStream, !Ref LogStream]");
    vec![
        Alarm::new("LogsStuck", "Log lines have waited for 15 minutes to be delivered. CloudWatch has them.")
            .on(Metric::new("AWS/Firehose", freshness, &[stream]).each(5 * MINUTE, "Maximum"))
            .above("900", 2, None),
        Alarm::new("SearchFull", "The OpenSearch domain has less than 2 GB of disk left.")
            .when("HasWatchedSearch")
            .on(domain("FreeStorageSpace", 5 * MINUTE, "Minimum"))
            .compares("LessThanThreshold", "2048", 3, None),
        Alarm::new(
            "SearchRed",
            "A shard of the OpenSearch domain is unassigned; lines of that day are missing there. S3 keeps rejected lines.",
        )
        .when("HasWatchedSearch")
        .on(domain("ClusterStatus.red", MINUTE, "Maximum"))
        .compares("GreaterThanOrEqualToThreshold", "1", 1, None),
        Alarm::new(
            "SearchBlocked",
            "The OpenSearch domain accepts no more lines. S3 keeps rejected lines for the retention of logs.",
        )
        .when("HasWatchedSearch")
        .on(domain("ClusterIndexWritesBlocked", 5 * MINUTE, "Maximum"))
        .compares("GreaterThanOrEqualToThreshold", "1", 1, None),
        Alarm::new("SearchMemory", "The OpenSearch domain is low on memory; use a larger SearchInstanceType.")
            .when("HasWatchedSearch")
            .on(domain("JVMMemoryPressure", MINUTE, "Maximum"))
            .compares("GreaterThanOrEqualToThreshold", "95", 3, None),
    ]
}

/// What an alarm makes of a time without data.
#[derive(Clone, Copy)]
enum Missing {
    /// All is well.
    Holds,
    Breaches,
    /// It stays as it was.
    Ignored,
}

/// A metric of CloudWatch; its name and the values of its dimensions are YAML.
#[derive(Clone)]
struct Metric {
    namespace: &'static str,
    name: &'static str,
    dimensions: Vec<(&'static str, &'static str)>,
    /// Seconds.
    period: u32,
    /// A statistic of CloudWatch, or a percentile such as `p99`.
    statistic: &'static str,
}

impl Metric {
    fn new(namespace: &'static str, name: &'static str, dimensions: &[(&'static str, &'static str)]) -> Self {
        Self { namespace, name, dimensions: dimensions.to_vec(), period: MINUTE, statistic: "Sum" }
    }

    fn each(self, period: u32, statistic: &'static str) -> Self {
        Self { period, statistic, ..self }
    }

    /// Its name and dimensions, indented.
    fn yaml(&self, indent: usize) -> String {
        let Self { namespace, name, dimensions, .. } = self;
        let mut text = format!("{:indent$}Namespace: {namespace}\n{:indent$}MetricName: {name}\n", "", "");
        if !dimensions.is_empty() {
            let dimensions: Vec<_> =
                dimensions.iter().map(|(name, value)| format!("{{Name: {name}, Value: {value}}}")).collect();
            text += &format!("{:indent$}Dimensions: [{}]\n", "", dimensions.join(", "));
        }
        text
    }
}

/// Metric math: the identifier, the expression and the label of what it shows.
#[derive(Clone, Copy)]
struct Math(&'static str, &'static str, &'static str);

#[derive(Clone)]
struct Alarm {
    name: &'static str,
    description: String,
    condition: &'static str,
    math: Option<Math>,
    /// With their identifiers in the metric math; one without where there is none.
    metrics: Vec<(String, Metric)>,
    comparison: &'static str,
    threshold: String,
    evaluations: u32,
    /// How many of the evaluations have to be over the threshold: all unless said.
    datapoints: Option<u32>,
    missing: Missing,
    /// Whether cfn-lint does not see that both tables are given where one is.
    keys: bool,
}

impl Alarm {
    fn new(name: &'static str, description: impl Into<String>) -> Self {
        Self {
            name,
            description: description.into(),
            condition: "IsWatched",
            math: None,
            metrics: Vec::new(),
            comparison: "GreaterThanThreshold",
            threshold: "0".to_owned(),
            evaluations: 1,
            datapoints: None,
            missing: Holds,
            keys: false,
        }
    }

    fn when(self, condition: &'static str) -> Self {
        Self { condition, ..self }
    }

    fn on(self, metric: Metric) -> Self {
        self.of("", metric)
    }

    fn computes(self, id: &'static str, expression: &'static str, label: &'static str) -> Self {
        Self { math: Some(Math(id, expression, label)), ..self }
    }

    fn of(mut self, id: impl Into<String>, metric: Metric) -> Self {
        self.metrics.push((id.into(), metric));
        self
    }

    fn above(self, threshold: impl Into<String>, evaluations: u32, datapoints: Option<u32>) -> Self {
        self.compares("GreaterThanThreshold", threshold, evaluations, datapoints)
    }

    fn compares(
        self,
        comparison: &'static str,
        threshold: impl Into<String>,
        evaluations: u32,
        datapoints: Option<u32>,
    ) -> Self {
        Self { comparison, threshold: threshold.into(), evaluations, datapoints, ..self }
    }

    fn without_data(self, missing: Missing) -> Self {
        Self { missing, ..self }
    }

    fn of_keys(self) -> Self {
        Self { keys: true, ..self }
    }

    fn yaml(&self) -> String {
        let Self { name, description, condition, comparison, threshold, evaluations, .. } = self;
        let mut text = format!("  {name}:\n    Type: AWS::CloudWatch::Alarm\n    Condition: {condition}\n");
        if self.keys {
            text += "    # It does not see that both tables are given where one is.\n";
            text += "    Metadata: {cfn-lint: {config: {ignore_checks: [W1030]}}}\n";
        }
        text += &format!("    Properties:\n      AlarmDescription: {description}\n");
        text += &self.watched();
        text += &format!(
            "      ComparisonOperator: {comparison}\n      Threshold: {threshold}\n      EvaluationPeriods: {evaluations}\n"
        );
        if let Some(datapoints) = self.datapoints {
            text += &format!("      DatapointsToAlarm: {datapoints}\n");
        }
        let missing = match self.missing {
            Holds => "notBreaching",
            Breaches => "breaching",
            Ignored => "ignore",
        };
        text + &format!(
            "      TreatMissingData: {missing}\n      AlarmActions: [!Ref AlarmTopic]\n      OKActions: [!Ref AlarmTopic]\n"
        )
    }

    fn watched(&self) -> String {
        let Some(Math(id, expression, label)) = self.math else {
            let (_, metric) = &self.metrics[0];
            let kind = if metric.statistic.starts_with('p') { "ExtendedStatistic" } else { "Statistic" };
            return metric.yaml(6) + &format!("      {kind}: {}\n      Period: {}\n", metric.statistic, metric.period);
        };
        let mut text = format!(
            "      Metrics:\n        - Id: {id}\n          Expression: {expression}\n          Label: {label}\n"
        );
        for (id, metric) in &self.metrics {
            text += &format!(
                "        - Id: {id}\n          ReturnData: false\n          MetricStat:\n            Metric:\n"
            );
            text += &metric.yaml(14);
            text += &format!("            Period: {}\n            Stat: {}\n", metric.period, metric.statistic);
        }
        text
    }
}

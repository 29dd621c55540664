"""What SES is told of the sender, and what the sender's DNS has to say."""

import chosen
import stack

DOMAIN = {"MailDomain": "example.com", "MailAddress": "no-reply@example.com", "Stage": "production"}
# AWS reviews an account at 5 % of bounces and 0.1 % of complaints (SES Developer Guide, sending review process).
REVIEWS = {"Reputation.BounceRate": 0.05, "Reputation.ComplaintRate": 0.001}


def test_the_envelope_sender_is_of_the_senders_own_domain():
    identity = chosen.resources(**DOMAIN)["MailIdentity"]["Properties"]
    assert identity["MailFromAttributes"] == {
        "MailFromDomain": {"Fn::Sub": "bounce.${MailDomain}"},
        # Until its DNS records are there, mails go out as before.
        "BehaviorOnMxFailure": "USE_DEFAULT_VALUE",
    }


def test_outputs_name_every_dns_record_that_a_sender_needs():
    outputs = chosen.outputs(**DOMAIN)
    records = {
        name: output["Value"]["Fn::Sub"]
        for name, output in outputs.items()
        if name.startswith("Mail") and not name.endswith("Url")
    }
    assert len([text for text in records.values() if " CNAME " in text]) == 3
    assert records["MailFromMx"] == "bounce.${MailDomain} MX 10 feedback-smtp.${AWS::Region}.amazonses.com"
    assert records["MailFromSpf"] == 'bounce.${MailDomain} TXT "v=spf1 include:amazonses.com ~all"'
    assert records["MailDmarc"].startswith('_dmarc.${MailDomain} TXT "v=DMARC1; p=')
    assert not [name for name in chosen.outputs() if name in records]


def test_alarms_fire_before_aws_reviews_the_account():
    alarms = [alarm["Properties"] for alarm in chosen.resources("AWS::CloudWatch::Alarm", **DOMAIN).values()]
    watched = {alarm["MetricName"]: alarm for alarm in alarms if alarm.get("Namespace") == "AWS/SES"}
    assert watched.keys() == REVIEWS.keys()
    for metric, review in REVIEWS.items():
        # Without dimensions it is the rate of the account, which is what AWS looks at.
        assert "Dimensions" not in watched[metric], metric
        assert watched[metric]["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert review / 2 < watched[metric]["Threshold"] < review, metric


def test_the_suppression_list_is_not_called_the_stacks_own():
    text = stack.TEMPLATE.read_text()
    assert "this stack's own list" not in text

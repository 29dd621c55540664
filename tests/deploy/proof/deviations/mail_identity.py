"""The DNS records that an SES identity asks for
(<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ses-emailidentity.html>)."""


def name_the_dkim_records() -> None:
    """The emulator's CloudFormation does not know the attributes of an SES identity that name its DKIM records, which
    the template's outputs show. They are made up."""
    from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

    handlers = _RESOURCE_HANDLERS["AWS::SES::EmailIdentity"]
    create_alone = handlers["create"]

    def create(logical_id, properties, stack):
        identity, attributes = create_alone(logical_id, properties, stack)
        for number in (1, 2, 3):
            attributes[f"DkimDNSTokenName{number}"] = f"token{number}._domainkey.{identity}"
            attributes[f"DkimDNSTokenValue{number}"] = f"token{number}.dkim.amazonses.com"
        return identity, attributes

    handlers["create"] = create

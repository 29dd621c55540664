//! Email delivery: which emails were sent to an address, and the last report of SES. Stored with the address, which may belong to
//! no account, and in the account that has it, which shows it.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use serde::Deserialize;

use super::change::Change;
use super::schema::{EMAIL_DELIVERY, PROFILE, address_key, sent_key, user_key};
use super::{Item, Store, delete, n, put, s, to_item, update, value};
use crate::clock::Timestamp;
use crate::domain::email::NormalizedEmail;
use crate::domain::email_delivery::EmailDelivery;
use crate::domain::event::DomainEvent;
use crate::domain::user::User;
use crate::error::Result;
use crate::grant::{ADDRESSES, DELETE, GET, Grant, Grants, PUT, STAFF, UPDATE, USERS};

/// SES reports what becomes of an email within days.
const REMEMBERED: Duration = Duration::from_hours(14 * 24);
/// How long an address is avoided after a delivery problem: without an account, it cannot be cleared.
const AVOIDED: Duration = Duration::from_hours(365 * 24);

#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    reports: Vec<String>,
}

impl Store {
    /// The note that SES took an email to an address, by the id that its reports name.
    pub(super) fn sent_item(address: &NormalizedEmail, message_id: &str, now: Timestamp) -> Item {
        Item::from([
            ("pk".to_owned(), s(address_key(address))),
            ("sk".to_owned(), s(sent_key(message_id))),
            ("ttl".to_owned(), n(now.plus(REMEMBERED).seconds())),
        ])
    }

    pub const REPORTS_OF: Grants = &[Grant::table(&[GET], &[ADDRESSES])];

    /// The reports that were noted of an email of this id to the address; `None` when SES took none, or a report has settled it.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn reports_of(&self, address: &NormalizedEmail, message_id: &str) -> Result<Option<Vec<String>>> {
        let sent: Option<Sent> = self.get(address_key(address), &sent_key(message_id)).await?;
        Ok(sent.map(|sent| sent.reports))
    }

    pub const EMAIL_DELIVERY: Grants = &[Grant::table(&[GET], &[ADDRESSES])];

    /// Why emails to the address do not arrive, if they do not.
    ///
    /// # Errors
    /// Only when the table cannot be read.
    pub async fn email_delivery(&self, address: &NormalizedEmail) -> Result<Option<EmailDelivery>> {
        self.get(address_key(address), EMAIL_DELIVERY).await
    }

    pub const RECORD_EMAIL_DELIVERY: Grants =
        &[Grant::table(&[PUT, UPDATE, DELETE], &[ADDRESSES]), Grant::table(&[UPDATE, PUT], &[USERS])];

    /// Notes what SES said of an email, each `report` once: with `delivery`, that emails to the address do not arrive; and the
    /// event of the account that has the address. `false` when it was noted before, or the account moved to another address.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn record_email_delivery(
        &self,
        address: &NormalizedEmail,
        message_id: &str,
        report: &str,
        delivery: Option<&EmailDelivery>,
        of: Option<(&User, &DomainEvent)>,
    ) -> Result<bool> {
        let pk = address_key(address);
        let mut items = Vec::new();
        if let Some(delivery) = delivery {
            // The note of the email goes with the report that settles it: one that comes twice finds none.
            let sent = self.delete_of(&pk, &sent_key(message_id)).condition_expression("attribute_exists(pk)");
            items.push(delete(sent)?);
            let mut item = to_item(pk, EMAIL_DELIVERY, delivery)?;
            item.insert("ttl".into(), n(delivery.since.plus(AVOIDED).seconds()));
            items.push(put(self.put_of(item))?);
        } else {
            // Another may follow: a complaint comes after an absence.
            let sent = self
                .update(pk, &sent_key(message_id))
                .update_expression("ADD reports :reports")
                .condition_expression("attribute_exists(pk) AND NOT contains(reports, :report)")
                .expression_attribute_values(":reports", AttributeValue::Ss(vec![report.to_owned()]))
                .expression_attribute_values(":report", s(report));
            items.push(update(sent)?);
        }
        if let Some((user, event)) = of {
            if let Some(delivery) = delivery {
                let change = Change::set("email_delivery = :delivery")
                    .only_if("email = :email")
                    .value(":delivery", value(delivery)?)
                    .value(":email", s(user.email.as_str()));
                items.push(update(change.into_update(self.update(user_key(user.id), PROFILE)))?);
            }
            items.extend(self.record(event)?);
        }
        self.transact(items).await
    }

    /// For the transaction of a link that was emailed to an address: emails to it arrive.
    pub(super) fn emails_arrive(&self, address: &NormalizedEmail) -> Result<TransactWriteItem> {
        delete(self.delete_of(&address_key(address), EMAIL_DELIVERY))
    }

    pub const CLEAR_EMAIL_DELIVERY: Grants = &[
        Grant::table(&[DELETE], &[ADDRESSES]),
        Grant::table(&[UPDATE, PUT], &[USERS]),
        Grant::table(&[PUT], &[STAFF]),
    ];

    /// Forgets that emails to an account's address do not arrive. `false` when it has another address than was read, or is gone.
    ///
    /// # Errors
    /// Only when the table cannot be written.
    pub async fn clear_email_delivery(&self, user: &User, event: &DomainEvent) -> Result<bool> {
        let change = Change::default()
            .remove("email_delivery")
            .only_if("email = :email")
            .value(":email", s(user.email.as_str()));
        let mut items = vec![
            update(change.into_update(self.update(user_key(user.id), PROFILE)))?,
            delete(self.delete_of(&address_key(&user.email.normalized()), EMAIL_DELIVERY))?,
        ];
        items.extend(self.record(event)?);
        self.transact(items).await
    }
}

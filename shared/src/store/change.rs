//! One update of an account, put together from parts.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::types::builders::{DeleteBuilder, UpdateBuilder};

use super::{Item, n, s, value};
use crate::domain::metadata::Metadata;
use crate::domain::search::Indexed;
use crate::domain::user::User;
use crate::error::Result;

/// What an update of an account sets, removes and depends on. The account has to exist in any case.
pub(super) struct Change {
    set: Vec<String>,
    remove: Vec<String>,
    conditions: Vec<String>,
    pub names: Option<HashMap<String, String>>,
    pub values: Item,
}

impl Default for Change {
    fn default() -> Self {
        Self {
            set: Vec::new(),
            remove: Vec::new(),
            conditions: vec!["attribute_exists(pk)".into()],
            names: None,
            values: Item::new(),
        }
    }
}

impl Change {
    /// Begins with assignments, with commas in between.
    pub fn set(assignments: impl Into<String>) -> Self {
        Self::default().and_set(assignments)
    }

    pub fn and_set(mut self, assignments: impl Into<String>) -> Self {
        self.set.push(assignments.into());
        self
    }

    /// Attributes, with commas in between.
    pub fn remove(mut self, attributes: impl Into<String>) -> Self {
        self.remove.push(attributes.into());
        self
    }

    pub fn only_if(mut self, condition: impl Into<String>) -> Self {
        self.conditions.push(condition.into());
        self
    }

    /// On condition that no session of the account was ended since it was read: a request that was under way then changes
    /// nothing.
    pub fn in_epoch_of(self, user: &User) -> Self {
        self.only_if("session_epoch = :epoch").value(":epoch", n(user.session_epoch))
    }

    /// With other entries in the index of names, on condition that they are those that it was read with. Addresses are indexed by
    /// themselves: what changes one has a condition of its own.
    pub fn indexed_as(self, user: &User, now: &Indexed) -> Result<Self> {
        let change = self.and_set("found_by = :indexed").value(":indexed", value(now)?);
        change.while_indexed_as(user)
    }

    /// On condition that its entries in the index of names are those that it was read with.
    pub fn while_indexed_as(self, user: &User) -> Result<Self> {
        Ok(match &user.indexed {
            Some(before) => self.only_if("found_by = :indexed_before").value(":indexed_before", value(before)?),
            None => self.only_if("attribute_not_exists(found_by)"),
        })
    }

    /// On condition that all that it is found by is as it was read.
    pub fn while_found_as(self, user: &User) -> Result<Self> {
        let change = self
            .while_indexed_as(user)?
            .only_if("email = :email_before AND #roles = :roles_before")
            .name("#roles", "roles")
            .value(":email_before", s(user.email.as_str()))
            .value(":roles_before", value(&user.roles)?);
        Ok(match &user.external_id {
            Some(id) => change.only_if("external_id = :external_id_before").value(":external_id_before", value(id)?),
            None => change.only_if("attribute_not_exists(external_id)"),
        })
    }

    /// With another `profile`, on condition that what staff store is as it was read: the three have a size together.
    pub fn set_profile(self, user: &User, profile: &Metadata) -> Result<Self> {
        let change = self.and_set("profile = :profile").value(":profile", value(profile)?);
        change.same(&[("app", &user.app), ("internal", &user.internal)])
    }

    /// On condition that metadata are as they were read. An empty object is not stored.
    pub fn same(mut self, places: &[(&str, &Metadata)]) -> Result<Self> {
        for (name, metadata) in places {
            let (absent, before) = (format!("attribute_not_exists({name})"), format!(":{name}_before"));
            self = self.only_if(if metadata.is_empty() {
                format!("({absent} OR {name} = {before})")
            } else {
                format!("{name} = {before}")
            });
            self = self.value(&before, value(metadata)?);
        }
        Ok(self)
    }

    pub fn name(mut self, placeholder: &str, name: &str) -> Self {
        self.names.get_or_insert_default().insert(placeholder.to_owned(), name.to_owned());
        self
    }

    pub fn value(mut self, placeholder: &str, value: AttributeValue) -> Self {
        self.values.insert(placeholder.to_owned(), value);
        self
    }

    pub fn expression(&self) -> String {
        let clause = |verb: &str, parts: &[String]| {
            (!parts.is_empty()).then(|| format!("{verb} {}", parts.join(", "))).into_iter()
        };
        clause("SET", &self.set).chain(clause("REMOVE", &self.remove)).collect::<Vec<_>>().join(" ")
    }

    pub fn condition(&self) -> String {
        self.conditions.join(" AND ")
    }

    /// As a part of a transaction.
    pub fn into_update(self, update: UpdateBuilder) -> UpdateBuilder {
        update
            .update_expression(self.expression())
            .condition_expression(self.condition())
            .set_expression_attribute_names(self.names)
            .set_expression_attribute_values(Some(self.values))
    }

    /// Its conditions alone, for the item's deletion.
    pub fn into_delete(self, delete: DeleteBuilder) -> DeleteBuilder {
        let values = Some(self.values).filter(|values| !values.is_empty());
        delete
            .condition_expression(self.conditions.join(" AND "))
            .set_expression_attribute_names(self.names)
            .set_expression_attribute_values(values)
    }
}

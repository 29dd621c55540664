//! One update of an account, put together from parts.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;

use super::{Item, n};
use crate::domain::user::User;

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
}

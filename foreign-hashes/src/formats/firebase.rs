//! Firebase's scrypt, whose parameters are the project's.

use super::{Parsed, scrypt};
use crate::Refused;
use crate::encoding::any_base64;
use crate::primitives::{Firebase, ScryptCosts};
use crate::scheme::Scheme;

/// The parts in base64, standard or URL-safe: the console and the Admin SDK write them differently.
pub(crate) struct Parts<'a> {
    pub(crate) salt: &'a str,
    pub(crate) separator: &'a str,
    pub(crate) signer_key: &'a str,
    pub(crate) output: &'a str,
}

impl Parts<'_> {
    pub(crate) fn build(&self, costs: ScryptCosts) -> Result<Parsed, Refused> {
        let salt = [any_base64(self.salt)?, any_base64(self.separator)?].concat();
        let signer_key = any_base64(self.signer_key)?;
        Ok((
            Scheme::Firebase(Firebase { costs, salt: salt.into(), signer_key: signer_key.into() }),
            any_base64(self.output)?,
        ))
    }
}

/// Kratos's `$firescrypt$ln=14,r=8,p=1$salt$output$separator$key`. Unlike in its `$scrypt$`, `ln` is the logarithm.
pub(crate) fn kratos(text: &str) -> Result<Parsed, Refused> {
    let rest = text.strip_prefix("$firescrypt$").ok_or(Refused::Malformed("it is no $firescrypt$"))?;
    let [parameters, salt, output, separator, signer_key] = super::parts(rest, '$')?;
    let [log_n, r, p] = scrypt::parameters(parameters)?;
    Parts { salt, separator, signer_key, output }.build(scrypt::costs(log_n, r, p)?)
}

/// Supabase's `$fbscrypt$v=1,n=14,r=8,p=1,ss=separator,sk=key$salt$output`.
pub(crate) fn supabase(text: &str) -> Result<Parsed, Refused> {
    const NOT_FBSCRYPT: Refused = Refused::Malformed("it does not have the parameters of $fbscrypt$");
    let [parameters, salt, output] = super::parts(text.strip_prefix("$fbscrypt$").ok_or(NOT_FBSCRYPT)?, '$')?;
    let [version, log_n, r, p, separator, signer_key] = super::parts(parameters, ',')?;
    if version != "v=1" {
        return Err(Refused::Unsupported("another version of $fbscrypt$ than 1"));
    }
    let value = |text: &'_ str, name| super::number(text.strip_prefix(name).ok_or(NOT_FBSCRYPT)?);
    let costs = scrypt::costs(value(log_n, "n=")?, value(r, "r=")?, value(p, "p=")?)?;
    let separator = separator.strip_prefix("ss=").ok_or(NOT_FBSCRYPT)?;
    let signer_key = signer_key.strip_prefix("sk=").ok_or(NOT_FBSCRYPT)?;
    Parts { salt, separator, signer_key, output }.build(costs)
}

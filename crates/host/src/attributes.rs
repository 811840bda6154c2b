//! What the proxy knows of an exchange that has ended, read in one call where it can be.
//!
//! A property costs 0.5 µs each. Envoy also evaluates expressions (CEL): a list of attributes comes at the cost of three or four. It fails
//! as a whole when one of them is missing, and to ask for each one first (`has`) costs more than is saved; so what most exchanges do not
//! have is read by itself, which is cheap where there is nothing. Where Envoy does not evaluate, or fails at it, all are read one by one.

use std::cell::Cell;

use crate::error::{Error, Result};
use crate::hostcalls::call_foreign_function;
use crate::proxy::Proxy;

/// The attributes that nearly every exchange has, in the order in which they are read.
pub const ATTRIBUTES: [&str; 7] = [
    "response\0code",
    "response\0flags",
    "response\0code_details",
    "response\0size",
    "request\0protocol",
    "request\0size",
    "source\0address",
];

/// The values of the attributes, in their order; `None` for one that there is not.
pub type Values = [Option<Vec<u8>>; ATTRIBUTES.len()];

/// The compiled expression, which is the same for all configurations of a VM.
#[derive(Debug, Clone, Copy)]
enum Expression {
    NotCompiled,
    /// The proxy's number for it.
    Compiled([u8; 4]),
    Refused(Error),
}

thread_local! {
    static EXPRESSION: Cell<Expression> = const { Cell::new(Expression::NotCompiled) };
}

/// Reads the attributes of the effective context.
pub fn read<P: Proxy>(proxy: &P) -> Values {
    let all = proxy.attributes().ok().and_then(|list| elements(&list));
    all.unwrap_or_else(|| ATTRIBUTES.map(|path| known(proxy.property(path).ok()??)))
}

/// An attribute that is empty is one that there is not.
fn known(value: Vec<u8>) -> Option<Vec<u8>> {
    (!value.is_empty()).then_some(value)
}

/// Evaluates the expression in the real proxy; the list as its bytes.
pub fn evaluate() -> Result<Vec<u8>> {
    let token = match EXPRESSION.get() {
        Expression::Compiled(token) => Ok(token),
        Expression::Refused(error) => Err(error),
        Expression::NotCompiled => {
            let compiled = compile();
            EXPRESSION.set(compiled.map_or_else(Expression::Refused, Expression::Compiled));
            compiled
        }
    };
    call_foreign_function("expr_evaluate", &token?)
}

fn compile() -> Result<[u8; 4]> {
    const CALL: &str = "call_foreign_function";
    let token = call_foreign_function("expr_create", expression().as_bytes())?;
    token.try_into().map_err(|_| Error::malformed(CALL))
}

fn expression() -> String {
    format!("[{}]", ATTRIBUTES.map(|path| path.replace('\0', ".")).join(","))
}

/// The elements of a list as Envoy writes one: as pairs with nothing in the second place. That is their number, the two sizes of each,
/// then each with two zero bytes behind it.
fn elements(list: &[u8]) -> Option<Values> {
    let (number, mut sizes) = word(list)?;
    if number != ATTRIBUTES.len() {
        return None;
    }
    let mut values = sizes.get(number.checked_mul(8)?..)?;
    let mut found = Values::default();
    for slot in &mut found {
        let (size, second);
        (size, sizes) = word(sizes)?;
        (second, sizes) = word(sizes)?;
        let (value, rest) = values.split_at_checked(size).filter(|_| second == 0)?;
        values = rest.strip_prefix(&[0, 0])?;
        *slot = known(value.to_vec());
    }
    values.is_empty().then_some(found)
}

/// The number in the first four bytes, and what follows.
fn word(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*word)).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(values: &[&[u8]]) -> Vec<u8> {
        let sizes = values.iter().flat_map(|value| [value.len(), 0]);
        let mut bytes: Vec<u8> =
            std::iter::once(values.len()).chain(sizes).flat_map(|size| u32::try_from(size).unwrap().to_le_bytes()).collect();
        values.iter().for_each(|value| bytes.extend([value, &b"\0\0"[..]].concat()));
        bytes
    }

    #[test]
    fn the_expression_is_a_list_of_the_attributes() {
        let text = expression();
        assert!(text.starts_with("[response.code,response.flags,") && text.ends_with(",source.address]"), "{text}");
    }

    #[test]
    fn takes_a_list_of_as_many_values_as_were_asked_for_and_nothing_else() {
        let values: [&[u8]; 7] = [b"12345678", b"", b"a\0b", b"", b"", b"", b"10.0.0.1:80"];
        let whole = list(&values);
        let found = elements(&whole).unwrap();
        assert_eq!(found[0].as_deref(), Some(&b"12345678"[..]));
        assert_eq!((found[1].as_deref(), found[2].as_deref()), (None, Some(&b"a\0b"[..])));
        assert_eq!(found[6].as_deref(), Some(&b"10.0.0.1:80"[..]));
        for end in 0..whole.len() {
            assert_eq!(elements(&whole[..end]), None, "{end}");
        }
        assert_eq!(elements(&list(&values[1..])), None);
        assert_eq!(elements(&[&whole[..], b"x"].concat()), None);
        for at in 0..60 {
            let mut wrong = whole.clone();
            wrong[at] ^= 0xff;
            assert_eq!(elements(&wrong), None, "{at}");
        }
    }
}

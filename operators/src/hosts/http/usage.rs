//! What requests cost: how many there were, their bytes, the tokens that servers tell, and their price.
//! Whoever runs a pipeline asks for it at the end.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde::Serialize;

/// What was asked of one server for one operator.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    /// The model and its server.
    pub model: String,
    /// Requests that went out, the repeated ones too.
    pub requests: u64,
    /// Requests that repeat one that failed.
    pub retries: u64,
    /// What was asked for in vain.
    pub failures: u64,
    /// Bytes of all bodies that went out.
    pub sent: u64,
    /// Bytes of all bodies that came back.
    pub received: u64,
    /// Tokens of prompts, as the server tells.
    pub tokens_in: u64,
    /// Tokens of answers.
    pub tokens_out: u64,
    /// What the tokens cost at the prices that the operator was given, in their currency.
    pub price: Option<f64>,
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Usage {
            model,
            requests,
            retries,
            failures,
            sent,
            received,
            ..
        } = self;
        write!(
            f,
            "{model}: {requests} requests ({retries} repeated, {failures} in vain), {sent} bytes out, \
             {received} in"
        )?;
        if self.tokens_in + self.tokens_out > 0 {
            write!(f, ", {} tokens in, {} out", self.tokens_in, self.tokens_out)?;
        }
        match self.price {
            Some(price) => write!(f, ", price {price:.4}"),
            None => Ok(()),
        }
    }
}

/// Counters of one operator, since it was built.
#[derive(Debug, Default)]
pub(in crate::hosts) struct Counters {
    model: String,
    /// The price of a million tokens of prompts, and of answers.
    prices: Option<(f64, f64)>,
    requests: AtomicU64,
    retries: AtomicU64,
    failures: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    tokens_in: AtomicU64,
    tokens_out: AtomicU64,
}

/// The counters of all operators that are there.
static ALL: Mutex<Vec<Weak<Counters>>> = Mutex::new(Vec::new());

/// What was asked so far by the operators of this process that ask servers; those that asked nothing are
/// left out.
pub fn usage() -> Vec<Usage> {
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|counters| counters.strong_count() > 0);
    let read = all
        .iter()
        .filter_map(Weak::upgrade)
        .map(|counters| counters.read());
    read.filter(|usage| usage.requests + usage.failures > 0)
        .collect()
}

impl Counters {
    /// Counters that [`usage`] reads.
    pub(in crate::hosts) fn new(model: String, prices: Option<(f64, f64)>) -> Arc<Counters> {
        let counters = Arc::new(Counters {
            model,
            prices,
            ..Counters::default()
        });
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Arc::downgrade(&counters));
        counters
    }

    pub(in crate::hosts) fn request(&self, sent: usize, again: bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.retries.fetch_add(again.into(), Ordering::Relaxed);
        self.sent.fetch_add(sent as u64, Ordering::Relaxed);
    }

    pub(in crate::hosts) fn response(&self, received: usize) {
        self.received.fetch_add(received as u64, Ordering::Relaxed);
    }

    pub(in crate::hosts) fn failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::hosts) fn tokens(&self, input: u64, output: u64) {
        self.tokens_in.fetch_add(input, Ordering::Relaxed);
        self.tokens_out.fetch_add(output, Ordering::Relaxed);
    }

    pub(in crate::hosts) fn read(&self) -> Usage {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (tokens_in, tokens_out) = (read(&self.tokens_in), read(&self.tokens_out));
        let price = |(input, output): (f64, f64)| {
            (tokens_in as f64 * input + tokens_out as f64 * output) / 1e6
        };
        Usage {
            model: self.model.clone(),
            requests: read(&self.requests),
            retries: read(&self.retries),
            failures: read(&self.failures),
            sent: read(&self.sent),
            received: read(&self.received),
            tokens_in,
            tokens_out,
            price: self.prices.map(price),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_told() {
        let counters = Counters::new("m at http://a.example".to_owned(), Some((2.5, 10.0)));
        let told = || {
            usage()
                .into_iter()
                .find(|usage| usage.model.starts_with("m at"))
        };
        assert_eq!(told(), None);
        counters.request(100, false);
        counters.request(100, true);
        counters.response(40);
        counters.tokens(1000, 20);
        assert_eq!(
            told().unwrap().to_string(),
            "m at http://a.example: 2 requests (1 repeated, 0 in vain), 200 bytes out, 40 in, 1000 tokens \
             in, 20 out, price 0.0027"
        );
        drop(counters);
        assert_eq!(told(), None);
    }
}

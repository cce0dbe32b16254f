//! Requests and the configuration: pairs of a query print and read again as the same, names stay in their directory, a
//! configuration is right or told where it is not, rules allow what they say, a line of the log is a line, and what an event
//! of MRE becomes is a spec that can be written and read.

use matchcut_service::outside;

use crate::parts;

pub(crate) fn run(data: &[u8]) {
    let mut parts = parts(data, 6);
    let mut text = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    outside::pairs_read_again(&text());
    outside::names_stay_inside(&text());
    outside::a_configuration_is_right_or_told(&text());
    outside::rules_allow_what_they_say(&text());
    outside::a_line_of_the_log_is_a_line(&text());
    outside::an_event_of_mre_is_a_spec(&text());
}

//! Credentials: nothing that is made up is let in, what is signed with the secret is, and what is said of a path or a
//! query in a signature is said in one way.

use matchcut_service::outside;

use crate::parts;

pub(crate) fn run(data: &[u8]) {
    let mut parts = parts(data, 6);
    let mut text = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let request = outside::Request {
        authorization: text(),
        method: text(),
        path: text(),
        query: text(),
        headers: text(),
        body: text(),
    };
    outside::paths_and_queries_are_canonical(&request.path, &request.query);
    outside::only_the_secret_signs(&request);
    outside::only_the_secret_makes_tokens(&request.authorization, &request.body);
}

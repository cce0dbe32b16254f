//! Access keys as those who run the service see them: made, listed, taken away; and the one that the
//! environment brings.

use std::env;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::Role;
use crate::store::keys::{self, KeyRow};
use crate::store::{Database, StoreError};

/// Letters and digits that are not taken for each other: 32, so that five bits choose one.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// The variables of the environment that bring an admin's key.
const ADMIN: [&str; 2] = [
    "MATCHCUT_ADMIN_ACCESS_KEY_ID",
    "MATCHCUT_ADMIN_SECRET_ACCESS_KEY",
];

/// The access keys of a directory.
pub struct Access {
    database: Database,
}

/// A key that was made just now.
pub struct NewAccess {
    /// By what it is named.
    pub id: String,
    /// What signs; nobody is told again.
    pub secret: String,
}

/// A key that the environment brings. It is kept nowhere.
pub struct AdminKey {
    pub(super) id: String,
    pub(super) secret: String,
}

impl AdminKey {
    /// The key of the environment; none where there is none. Half a key is an error.
    pub fn from_env() -> Result<Option<AdminKey>, String> {
        let value = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let [id, secret] = ADMIN;
        match (value(id), value(secret)) {
            (None, None) => Ok(None),
            (Some(id), Some(_)) if id.contains(['/', ',', ' ']) => {
                let [name, _] = ADMIN;
                Err(format!("{name} holds a slash, comma or blank"))
            }
            (Some(id), Some(secret)) => Ok(Some(AdminKey { id, secret })),
            (None, Some(_)) => Err(format!("{secret} is set and {id} is not: set both")),
            (Some(_), None) => Err(format!("{id} is set and {secret} is not: set both")),
        }
    }
}

impl Access {
    /// Opens the store in a directory, and makes it where there is none.
    pub fn open(dir: &Path) -> Result<Access, StoreError> {
        let database = Database::open(dir)?;
        Ok(Access { database })
    }

    /// Makes a key.
    pub fn add(&self, role: Role) -> Result<NewAccess, StoreError> {
        let mut random = [0_u8; 46];
        getrandom::fill(&mut random).map_err(|error| StoreError::Io {
            path: "the random numbers of the system".into(),
            source: std::io::Error::other(error.to_string()),
        })?;
        let (named, secret) = random.split_at(16);
        let letter = |byte: &u8| LETTERS.get(usize::from(byte % 32)).copied();
        let id = named.iter().filter_map(letter).map(char::from);
        let key = KeyRow {
            id: "MCUT".chars().chain(id).collect(),
            secret: URL_SAFE_NO_PAD.encode(secret),
            role: role.name().to_owned(),
            created: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        };
        self.database.write(|db| keys::add(db, &key))?;
        Ok(NewAccess {
            id: key.id,
            secret: key.secret,
        })
    }

    /// All keys: by what each is named, its role, and since when it is there.
    pub fn list(&self) -> Result<Vec<(String, String, String)>, StoreError> {
        let all = self.database.read(keys::all)?;
        let told = |key: KeyRow| (key.id, key.role, key.created);
        Ok(all.into_iter().map(told).collect())
    }

    /// Takes a key away; false where there is none of this name. A server notices with the next request.
    pub fn remove(&self, id: &str) -> Result<bool, StoreError> {
        self.database.write(|db| keys::remove(db, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let access = Access::open(dir.path()).unwrap();
        let one = access.add(Role::Viewer).unwrap();
        let other = access.add(Role::Admin).unwrap();
        assert_ne!((&one.id, &one.secret), (&other.id, &other.secret));
        assert_eq!((one.id.len(), one.secret.len()), (20, 40));
        let listed = |access: &Access| -> Vec<(String, String)> {
            let list = access.list().unwrap().into_iter();
            let mut list: Vec<_> = list.map(|(id, role, _)| (id, role)).collect();
            list.sort_by(|a, b| a.1.cmp(&b.1));
            list
        };
        let admin = (other.id.clone(), "admin".to_owned());
        assert_eq!(
            listed(&access),
            [admin.clone(), (one.id.clone(), "viewer".to_owned())]
        );
        assert!(access.remove(&one.id).unwrap());
        assert!(!access.remove(&one.id).unwrap());
        assert_eq!(listed(&Access::open(dir.path()).unwrap()), [admin]);
    }
}

//! What an emulator is told instead of credentials: that its owner asks, for whom its security rules do not count.

use firestore::gcloud_sdk::HeaderMap;
use firestore::gcloud_sdk::google_cloud_auth::credentials::{
    CacheableResource, Credentials, CredentialsProvider, EntityTag,
};
use firestore::gcloud_sdk::google_cloud_auth::errors::CredentialsError;
use http::header::{AUTHORIZATION, HeaderValue};

/// Agreed between Google's emulators and their clients; no secret.
const OWNER: HeaderValue = HeaderValue::from_static("Bearer owner");

/// The emulator's owner.
#[derive(Debug)]
struct Owner(EntityTag);

/// Credentials that every emulator takes and nobody else does.
pub(super) fn owner() -> Credentials {
    Credentials::from(Owner(EntityTag::new()))
}

impl CredentialsProvider for Owner {
    async fn headers(
        &self,
        extensions: http::Extensions,
    ) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        if extensions.get::<EntityTag>() == Some(&self.0) {
            return Ok(CacheableResource::NotModified);
        }
        Ok(CacheableResource::New {
            entity_tag: self.0.clone(),
            data: HeaderMap::from_iter([(AUTHORIZATION, OWNER)]),
        })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_emulator_is_told_that_its_owner_asks() {
        let answer = owner().headers(http::Extensions::new()).await.unwrap();
        let CacheableResource::New { data, .. } = answer else {
            panic!("the first answer is new");
        };
        assert_eq!(data.get(AUTHORIZATION), Some(&OWNER));
    }
}

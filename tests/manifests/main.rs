//! The manifests hold what the plan says, agree with each other, and agree with the program.
//!
//! The overlays are looked at as Kustomize renders them (`ops/k8s/render`). What the schemas of Kubernetes and the linters of the field
//! have to say is asked by `ops/check-manifests`.

mod compose;
mod edges;
mod images;
mod lifetime;
mod plan;
mod pods;
mod resources;
mod scaling;
mod selectors;
mod settings;

//! `segue audit`: keys, exports, proofs, tiles and witnesses, by the real binary and by programs of others.

mod chain;
mod exports;
mod history;
mod independent;
mod older_keys;
mod proofs;
mod put_back;
mod witness;

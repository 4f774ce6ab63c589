//! How good rankings and predictions are.
//!
//! Unlike the rest of the package this may use the platform's logarithm and exponential: nothing here reaches a playlist.
//!
//! | module | its one job |
//! |---|---|
//! | `ranking` | hidden tracks of playlists, and likes above dislikes |
//! | `probability` | whether predicted likes are as probable as said |
//! | `learning` | how well a listener's later ratings are predicted from the first ones |

mod learning;
mod probability;
mod ranking;

pub use learning::{LearningPoint, Orders, Predictor, RATINGS_LEARNED, Scores, learning_curve};
pub use probability::{Prediction, expected_calibration_error};
pub use ranking::{DEPTH, Metrics, auc, hits, judge, judge_tracks};

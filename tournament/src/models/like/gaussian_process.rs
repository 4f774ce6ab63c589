//! A Gaussian process classifier with a squared exponential kernel and a constant (Rasmussen & Williams, *Gaussian
//! Processes*, algorithms 3.1 and 3.2: Laplace's approximation).

use super::{Contestant, LikeModel, World};
use crate::linear::{Cholesky, dot, sigmoid};
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "Gaussian process",
    what: "a Gaussian process classifier with a squared exponential kernel (Laplace's approximation)",
    grid: &[
        Setting(&[("amplitude", 1.0), ("length", 3.0)]),
        Setting(&[("amplitude", 1.0), ("length", 4.0)]),
        Setting(&[("amplitude", 1.0), ("length", 6.0)]),
        Setting(&[("amplitude", 2.0), ("length", 3.0)]),
        Setting(&[("amplitude", 2.0), ("length", 4.0)]),
        Setting(&[("amplitude", 2.0), ("length", 6.0)]),
        Setting(&[("amplitude", 4.0), ("length", 6.0)]),
        Setting(&[("amplitude", 4.0), ("length", 10.0)]),
    ],
    parts: &[],
    build: |world, setting, _| {
        Box::new(GaussianProcess {
            world,
            amplitude: setting.get("amplitude"),
            length: setting.get("length"),
            fit: None,
        })
    },
};

/// A fixed number of Newton steps; each doubles the digits.
const STEPS: usize = 8;
/// The variance of the constant, which says how generous the listener is.
const CONSTANT: f64 = 4.0;

struct GaussianProcess<'a> {
    world: World<'a>,
    amplitude: f64,
    length: f64,
    fit: Option<Fitted>,
}

/// The mode and what its surroundings need.
struct Fitted {
    points: Vec<Vec<f64>>,
    /// `y - p` at the mode.
    gradient: Vec<f64>,
    root_weights: Vec<f64>,
    factor: Cholesky,
}

impl GaussianProcess<'_> {
    fn kernel(&self, a: &[f64], b: &[f64]) -> f64 {
        let square: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
        CONSTANT + self.amplitude * self.amplitude * (-0.5 * square / (self.length * self.length)).exp()
    }

    fn matrix(&self, points: &[Vec<f64>]) -> Vec<f64> {
        points
            .iter()
            .flat_map(|a| points.iter().map(|b| self.kernel(a, b)))
            .collect()
    }

    /// Mean and variance of the latent value at a track.
    fn latent(&self, track: u32) -> (f64, f64) {
        let z = self.world.z(track);
        let own = self.kernel(&z, &z);
        let Some(fit) = &self.fit else { return (0.0, own) };
        let near: Vec<f64> = fit.points.iter().map(|point| self.kernel(point, &z)).collect();
        let weighted: Vec<f64> = near.iter().zip(&fit.root_weights).map(|(k, w)| k * w).collect();
        let half = fit.factor.forward(&weighted);
        (dot(&near, &fit.gradient), (own - dot(&half, &half)).max(0.0))
    }
}

impl LikeModel for GaussianProcess<'_> {
    fn fit(&mut self, rated: &[(u32, bool)]) {
        self.fit = None;
        if rated.is_empty() {
            return;
        }
        let points: Vec<Vec<f64>> = rated.iter().map(|(track, _)| self.world.z(*track)).collect();
        let liked: Vec<f64> = rated
            .iter()
            .map(|(_, liked)| f64::from(u8::from(*liked)))
            .collect();
        let kernel = self.matrix(&points);
        let mut latent = vec![0.0; points.len()];
        let mut factor = step(&kernel, &liked, &mut latent);
        for _ in 1..STEPS {
            factor = step(&kernel, &liked, &mut latent);
        }
        let p: Vec<f64> = latent.iter().map(|f| sigmoid(*f)).collect();
        self.fit = Some(Fitted {
            gradient: liked.iter().zip(&p).map(|(y, p)| y - p).collect(),
            root_weights: p.iter().map(|p| (p * (1.0 - p)).sqrt()).collect(),
            points,
            factor,
        });
    }

    fn score(&self, track: u32) -> f64 {
        self.latent(track).0
    }

    fn probability(&self, track: u32) -> Option<f64> {
        let (mean, variance) = self.latent(track);
        Some(sigmoid(
            mean / (1.0 + std::f64::consts::FRAC_PI_8 * variance).sqrt(),
        ))
    }
}

/// One Newton step for the latent values; the factor is of `B = I + W^1/2 K W^1/2`.
fn step(kernel: &[f64], liked: &[f64], latent: &mut [f64]) -> Cholesky {
    let size = liked.len();
    let p: Vec<f64> = latent.iter().map(|f| sigmoid(*f)).collect();
    let root: Vec<f64> = p.iter().map(|p| (p * (1.0 - p)).sqrt()).collect();
    let mut matrix: Vec<f64> = Vec::with_capacity(size * size);
    for (row, values) in kernel.chunks(size).enumerate() {
        matrix.extend(values.iter().zip(&root).map(|(k, w)| root[row] * k * w));
        matrix[row * (size + 1)] += 1.0;
    }
    let factor = Cholesky::of(matrix, size);
    let b: Vec<f64> = (0..size)
        .map(|i| root[i] * root[i] * latent[i] + liked[i] - p[i])
        .collect();
    let right: Vec<f64> = kernel
        .chunks(size)
        .zip(&root)
        .map(|(row, w)| w * dot(row, &b))
        .collect();
    let solved = factor.solve(&right);
    let a: Vec<f64> = (0..size).map(|i| b[i] - root[i] * solved[i]).collect();
    for (value, row) in latent.iter_mut().zip(kernel.chunks(size)) {
        *value = dot(row, &a);
    }
    factor
}

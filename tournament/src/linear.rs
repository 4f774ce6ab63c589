//! Small dense symmetric systems.

/// The lower Cholesky factor of a positive definite matrix, row by row.
#[derive(Debug, Clone)]
pub(crate) struct Cholesky {
    size: usize,
    lower: Vec<f64>,
}

/// The least pivot: a matrix that is singular to working precision is solved as if it were barely not.
const PIVOT_MIN: f64 = 1e-12;

impl Cholesky {
    /// Factors the matrix whose rows stand one after another in `matrix` (only its lower half is read).
    pub(crate) fn of(mut matrix: Vec<f64>, size: usize) -> Self {
        for row in 0..size {
            let (above, from_row) = matrix.split_at_mut(row * size);
            let current = &mut from_row[..size];
            for column in 0..row {
                let other = &above[column * size..column * size + column + 1];
                let sum = current[column] - dot(&current[..column], &other[..column]);
                current[column] = sum / other[column];
            }
            let square = current[row] - dot(&current[..row], &current[..row]);
            current[row] = square.max(PIVOT_MIN).sqrt();
        }
        Self { size, lower: matrix }
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.lower[row * self.size..row * self.size + row + 1]
    }

    /// `L^-1 right`.
    pub(crate) fn forward(&self, right: &[f64]) -> Vec<f64> {
        let mut solved: Vec<f64> = Vec::with_capacity(self.size);
        for (row, &value) in right.iter().enumerate() {
            let lower = self.row(row);
            solved.push((value - dot(&lower[..row], &solved)) / lower[row]);
        }
        solved
    }

    /// `A^-1 right`.
    pub(crate) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let mut solved = self.forward(right);
        for row in (0..self.size).rev() {
            let lower = self.row(row);
            solved[row] /= lower[row];
            let value = solved[row];
            for (column, &factor) in lower[..row].iter().enumerate() {
                solved[column] -= factor * value;
            }
        }
        solved
    }

    /// `A^-1`, row by row.
    pub(crate) fn inverse(&self) -> Vec<f64> {
        let mut inverse = Vec::with_capacity(self.size * self.size);
        for column in 0..self.size {
            let mut unit = vec![0.0; self.size];
            unit[column] = 1.0;
            inverse.extend(self.solve(&unit));
        }
        inverse
    }
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Adds `weight x x^T` to a matrix.
pub(crate) fn add_outer(matrix: &mut [f64], x: &[f64], weight: f64) {
    for (row, &value) in matrix.chunks_mut(x.len()).zip(x) {
        for (cell, &other) in row.iter_mut().zip(x) {
            *cell += weight * value * other;
        }
    }
}

/// The logistic function.
pub(crate) fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// The log-odds of a probability, which is held within 1e-6 of 0 and 1.
pub(crate) fn logit(probability: f64) -> f64 {
    let held = probability.clamp(1e-6, 1.0 - 1e-6);
    (held / (1.0 - held)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_worked_out_by_hand() {
        // [[4, 2], [2, 3]] x = [2, 5] has x = [-1/2, 2].
        let factor = Cholesky::of(vec![4.0, 2.0, 2.0, 3.0], 2);
        let solved = factor.solve(&[2.0, 5.0]);
        assert!(
            (solved[0] + 0.5).abs() < 1e-12 && (solved[1] - 2.0).abs() < 1e-12,
            "{solved:?}"
        );
        let inverse = factor.inverse();
        for (got, expected) in inverse.iter().zip([0.375, -0.25, -0.25, 0.5]) {
            assert!((got - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn odds_and_probabilities_are_inverse() {
        for p in [1e-5, 0.2, 0.5, 0.999] {
            assert!((sigmoid(logit(p)) - p).abs() < 1e-12);
        }
        assert_eq!(sigmoid(-1e4), 0.0);
        assert_eq!(sigmoid(1e4), 1.0);
    }
}

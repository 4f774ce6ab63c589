//! Hyper-parameters, by name.

/// Each contestant chooses among at most so many settings: what is tuned more wins more.
pub const GRID_MAX: usize = 8;

/// A point of a contestant's grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting(pub &'static [(&'static str, f64)]);

impl Setting {
    /// For contestants that have nothing to choose.
    pub const NONE: &'static [Self] = &[Self(&[])];

    /// The value called `name`.
    ///
    /// # Panics
    /// When the setting has none: a contestant's grid and its code stand in one file.
    #[must_use]
    pub fn get(self, name: &str) -> f64 {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("a setting {name}")).1
    }

    /// `kappa 5, temper 0.5`; empty without any.
    #[must_use]
    pub fn text(self) -> String {
        let values = self.0.iter().map(|(name, value)| format!("{name} {value}"));
        values.collect::<Vec<_>>().join(", ")
    }
}

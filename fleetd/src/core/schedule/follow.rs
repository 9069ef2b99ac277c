//! `MachineOf=`: who follows whom, and who follows in a circle.

use super::fleet::Fleet;
use std::collections::BTreeMap;

/// By the index of the unit.
pub(super) struct Follow {
    /// In the order of `MachineOf=`. None: there is no such unit.
    pub(super) leaders: Vec<Vec<Option<u32>>>,
    pub(super) followers: Vec<Vec<u32>>,
    /// Leaders have less than those who follow them.
    pub(super) depth: Vec<u32>,
    pub(super) circle: Vec<bool>,
}

impl Follow {
    pub(super) fn new(fleet: &Fleet) -> Self {
        let index: BTreeMap<&str, u32> =
            fleet.units.keys().zip(0..).map(|(name, unit)| (name.as_str(), unit)).collect();
        let leaders: Vec<Vec<_>> = fleet
            .units
            .values()
            .map(|unit| unit.machine_of.iter().map(|name| index.get(name.as_str()).copied()))
            .map(Iterator::collect)
            .collect();
        let up: Vec<Vec<u32>> =
            leaders.iter().map(|leaders| leaders.iter().copied().flatten().collect()).collect();
        let followers = reverse(&up);
        let (depth, after) = layers(&up, &followers);
        let (_, before) = layers(&followers, &up);
        // What can be taken off neither from the front nor from the back is held by a circle.
        let circle = after.iter().zip(&before).map(|(a, b)| *a && *b).collect();
        Self { leaders, followers, depth, circle }
    }
}

fn reverse(edges: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let mut reversed = vec![Vec::new(); edges.len()];
    for (from, list) in (0..).zip(edges) {
        for to in list {
            if let Some(back) = reversed.get_mut(*to as usize) {
                back.push(from);
            }
        }
    }
    reversed
}

/// Takes off, layer by layer, what has nothing left above it. Returns the layer of each, and
/// whether it was left.
fn layers(above: &[Vec<u32>], below: &[Vec<u32>]) -> (Vec<u32>, Vec<bool>) {
    let mut open: Vec<usize> = above.iter().map(Vec::len).collect();
    let mut depth = vec![0; above.len()];
    let mut left = vec![true; above.len()];
    let mut free: Vec<usize> = (0..above.len()).filter(|unit| open[*unit] == 0).collect();
    while let Some(unit) = free.pop() {
        left[unit] = false;
        for next in below[unit].iter().map(|next| *next as usize) {
            depth[next] = depth[next].max(depth[unit] + 1);
            open[next] -= 1;
            if open[next] == 0 {
                free.push(next);
            }
        }
    }
    (depth, left)
}

#[cfg(test)]
mod tests {
    use super::super::fleet::Unit;
    use super::*;

    #[test]
    fn circles_are_told_from_those_who_follow_them() {
        let unit = |leaders: &[&str]| Unit {
            machine_of: leaders.iter().map(ToString::to_string).collect(),
            ..Unit::default()
        };
        let units = [
            ("a", unit(&["b"])),
            ("b", unit(&["a"])),
            ("c", unit(&["a"])),
            ("d", unit(&[])),
            ("e", unit(&["d", "f"])),
            ("f", unit(&["d", "gone"])),
            ("g", unit(&["g"])),
        ];
        let units = units.into_iter().map(|(name, unit)| (name.to_owned(), unit)).collect();
        let follow = Follow::new(&Fleet { units, ..Fleet::default() });
        assert_eq!(follow.circle, [true, true, false, false, false, false, true]);
        assert_eq!(follow.depth[3..6], [0, 2, 1]);
        assert_eq!(follow.leaders[5], [Some(3), None]);
    }
}

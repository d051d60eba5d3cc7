// SPDX-License-Identifier: Apache-2.0

// The value below which a fraction of the sample lies (nearest rank).
export function quantile(sample, fraction) {
  if (sample.length === 0) return null;
  const sorted = Float64Array.from(sample).sort();
  return sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)];
}

export function summary(sample) {
  return {
    calls: sample.length,
    p50: quantile(sample, 0.5),
    p99: sample.length >= 20 ? quantile(sample, 0.99) : null,
    min: quantile(sample, 0),
  };
}

/** A double as Go's %g with the shortest exact digits: 1e+21, 0.0001, NaN, +Inf. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power < -4 || power >= 21) {
    const size = Math.abs(power).toString().padStart(2, '0');
    return `${digits}e${power < 0 ? '-' : '+'}${size}`;
  }
  // JavaScript turns to exponents earlier than Go for small numbers.
  return power < 0 ? value.toFixed(Math.min(100, -power + Math.max(0, digits.replace(/^-?\d\.?/, '').length))) : String(value);
}

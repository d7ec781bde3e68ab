/** Three or four significant digits, thousands in k and M. */
export function short(value: number | null): string {
  if (value === null || Number.isNaN(value)) return '–';
  const magnitude = Math.abs(value);
  if (magnitude >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (magnitude >= 1e4) return `${(value / 1e3).toFixed(0)} k`;
  if (magnitude >= 100) return value.toFixed(0);
  return value.toFixed(2);
}

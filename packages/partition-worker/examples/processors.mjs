/** Takes `amount` out of an account, unless it holds less. */
export function withdraw(account, amount) {
  const balance = account?.value.balance ?? 0;
  if (balance < amount) throw new RangeError(`${balance} is less than ${amount}`);
  return { put: { ...account.value, balance: balance - amount } };
}

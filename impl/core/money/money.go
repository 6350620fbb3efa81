// Package money converts between prices, tokens and amounts. Amounts are
// integers in micro-units, millionths of the currency unit; they become
// decimals once, at the edge of a surface.
package money

// Unit is one currency unit in micro-units.
const Unit = 1_000_000

// Cost is what tokens cost at prices in micro-units per 1,000 tokens, rounded
// up to the next micro-unit so that no priced answer is free. Tokens and
// prices are not negative; prices are at most 10^9, tokens at most 10^9.
func Cost(inputTokens, outputTokens, inputPer1K, outputPer1K int64) int64 {
	thousandths := inputTokens*inputPer1K + outputTokens*outputPer1K
	return (thousandths + 999) / 1000
}

// Decimal is an amount in currency units, exact to six decimals for amounts
// below 2^53 micro-units.
func Decimal(micros int64) float64 { return float64(micros) / Unit }

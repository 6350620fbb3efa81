package metrics

import (
	"time"

	"parley/db"
	"parley/impl/core/fault"
)

// TurnSpoke notes the first piece of an answer, and how long it took.
func (m *Metrics) TurnSpoke(t db.Turn, by db.Model, took time.Duration) {
	m.firstByte.WithLabelValues(t.Surface, modelLabel(by)).Observe(took.Seconds())
}

// TurnEnded notes an answer whose end is settled; failure is nil when it completed.
func (m *Metrics) TurnEnded(t db.Turn, by db.Model, outcome string, failure *fault.Error, took time.Duration) {
	kind := ""
	if failure != nil {
		kind = failure.Kind.String()
	}
	m.turns.WithLabelValues(t.Surface, outcome, kind).Inc()
	m.turnTime.WithLabelValues(t.Surface).Observe(took.Seconds())
	model := modelLabel(by)
	m.tokens.WithLabelValues(model, "input").Add(float64(t.InputTokens))
	m.tokens.WithLabelValues(model, "output").Add(float64(t.OutputTokens))
	m.cost.WithLabelValues(model).Add(float64(t.CostMicros))
}

// TurnRefused notes a turn that did not begin because of a ceiling or for want of money.
func (m *Metrics) TurnRefused(kind fault.Kind) {
	switch kind {
	case fault.RateLimited:
		m.Refused("ceilings")
	case fault.NoFunds:
		m.Refused("funds")
	}
}

// UpstreamFailed notes a call that the provider of a model failed.
func (m *Metrics) UpstreamFailed(of db.Model, kind fault.Kind) {
	provider := of.ProviderID
	if of.AccountID != "" {
		provider = own
	}
	m.upstream.WithLabelValues(provider, kind.String()).Inc()
}

func modelLabel(m db.Model) string {
	if m.AccountID != "" {
		return own
	}
	return m.ID
}

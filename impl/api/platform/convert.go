package platform

import (
	"time"

	"parley/db"
	gen "parley/gen/platform"
	"parley/impl/core/key"
)

// value is an optional member's value, "" when absent.
func value[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}

// fromAPIKeyScopes is nil when the member is absent.
func fromAPIKeyScopes(scopes *gen.KeyScopes) []string {
	if scopes == nil {
		return nil
	}
	out := make([]string, len(*scopes))
	for i, s := range *scopes {
		out[i] = string(s)
	}
	return out
}

// fromAPIKeyOrigins is nil when the member is absent, and empty when it empties the list.
func fromAPIKeyOrigins(origins *gen.KeyOrigins) []string {
	if origins == nil {
		return nil
	}
	return append([]string{}, *origins...)
}

// fromAPIKeyAgents is nil when the member is absent, and empty when it empties the list.
func fromAPIKeyAgents(agents *gen.KeyAgents) []string {
	if agents == nil {
		return nil
	}
	return append([]string{}, *agents...)
}

func fromAPIKeyCreate(body gen.KeyCreate, accountID string, by key.Caller) key.CreateInput {
	return key.CreateInput{
		AccountID: accountID, By: &by, Name: body.Name, Kind: key.Kind(value(body.Kind)),
		Scopes: fromAPIKeyScopes(body.Scopes), Origins: fromAPIKeyOrigins(body.Origins), Agents: fromAPIKeyAgents(body.Agents), Plan: value(body.Plan),
		Environment: value(body.Environment), ExpiresAt: body.ExpiresAt, AppID: value(body.AppID), AgentID: value(body.AgentID), ProjectID: number(body.ProjectID),
	}
}

func toAPIKey(k db.Key) gen.Key {
	out := gen.Key{
		ID: k.ID, Name: k.Name, Prefix: k.Prefix, Kind: gen.KeyKind(k.Kind), Status: gen.KeyStatusInactive,
		Scopes: make(gen.KeyScopes, len(k.Scopes)), Origins: append(gen.KeyOrigins{}, k.Origins...), Agents: append(gen.KeyAgents{}, k.Agents...),
		Environment: gen.KeyEnvironment(k.Environment), Plan: k.Plan, AppID: k.AppID, CreatedAt: k.CreatedAt.UTC(),
		LastUsedAt: utc(k.LastUsedAt), ExpiresAt: utc(k.ExpiresAt),
	}
	if k.Active {
		out.Status = gen.KeyStatusActive
	}
	for i, s := range k.Scopes {
		out.Scopes[i] = gen.KeyScope(s)
	}
	return out
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

func toAPIKeyList(rows []db.Key) gen.KeyList {
	out := make(gen.KeyList, len(rows))
	for i, k := range rows {
		out[i] = toAPIKey(k)
	}
	return out
}

func toAPIKeyWithText(made key.Created) gen.KeyWithText {
	k := toAPIKey(made.Key)
	return gen.KeyWithText{
		ID: k.ID, Name: k.Name, Key: made.Text, Prefix: k.Prefix, Kind: k.Kind, Status: k.Status, Scopes: k.Scopes,
		Origins: k.Origins, Agents: k.Agents, Environment: k.Environment, Plan: k.Plan, AppID: k.AppID, CreatedAt: k.CreatedAt,
		LastUsedAt: k.LastUsedAt, ExpiresAt: k.ExpiresAt,
	}
}

// number is 0 for what was not given.
func number(given *int64) int64 {
	if given == nil {
		return 0
	}
	return *given
}

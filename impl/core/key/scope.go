package key

import (
	"slices"
	"strings"

	"parley/db"
	"parley/impl/core/fault"
)

// A scope is a surface's name, ScopeAdmin or ScopeOperator, alone or with a
// verb: "webchat", "webchat:read". Alone it stands for both verbs.
const (
	// ScopeAdmin rules the key's own account. It holds every scope but the operator's.
	ScopeAdmin = "admin"
	// ScopeOperator rules the server: accounts, plans, and the providers and models offered to all.
	ScopeOperator = "operator"

	verbRead  = ":read"
	verbWrite = ":write"
)

// SurfaceScopes are what a key gets that names no scopes: every surface, no administration.
var SurfaceScopes = []string{"characters", "engagement", "openai", "projects", "realtime", "webchat"}

// pageScopes are the surfaces that a key in a web page may have: those that chat
// and show no visitor what others said.
var pageScopes = []string{"openai", "webchat"}

// Scopes lists every scope that a key can have.
func Scopes() []string {
	var all []string
	for _, area := range append([]string{ScopeAdmin, ScopeOperator}, SurfaceScopes...) {
		all = append(all, area, area+verbRead, area+verbWrite)
	}
	slices.Sort(all)
	return all
}

// May tells whether the caller holds one of the scopes, each an area with a
// verb as in the document's x-required-scopes.
func (c Caller) May(anyOf ...string) bool {
	return slices.ContainsFunc(anyOf, func(wanted string) bool { return holds(c.Scopes, wanted) })
}

// holds tells whether wanted, an area with a verb, is among what held grants.
func holds(held []string, wanted string) bool {
	area, verb, _ := strings.Cut(wanted, ":")
	for _, h := range held {
		heldArea, heldVerb, _ := strings.Cut(h, ":")
		reaches := heldArea == area || (heldArea == ScopeAdmin && area != ScopeOperator)
		if reaches && (heldVerb == "" || heldVerb == verb) {
			return true
		}
	}
	return false
}

// Within are the scopes as far as those held reach: what was granted from them
// follows when they are narrowed, and is no more when they are widened.
func Within(scopes, held []string) []string {
	kept := []string{}
	for _, s := range scopes {
		verbs := verbsOf(s)
		reached := slices.DeleteFunc(slices.Clone(verbs), func(verb string) bool { return !holds(held, verb) })
		if len(reached) == len(verbs) {
			reached = []string{s}
		}
		kept = append(kept, reached...)
	}
	return kept
}

// CheckGrant is a Forbidden fault when one of the scopes is more than the
// caller holds, or the caller is limited to agents and the others, none for
// all, are not among them: nobody hands out rights that they lack.
func (c Caller) CheckGrant(scopes, agents []string) error {
	beyond := func(agentID string) bool { return !c.AdmitsAgent(agentID) }
	if len(c.Agents) > 0 && (len(agents) == 0 || slices.ContainsFunc(agents, beyond)) {
		return fault.New(fault.Forbidden, "The credential of this request is limited to agents, and so must be what it makes or changes.")
	}
	for _, s := range scopes {
		for _, verb := range verbsOf(s) {
			if !c.May(verb) {
				return fault.New(fault.Forbidden, "The scope %s is more than the credential of this request holds.", s)
			}
		}
	}
	return nil
}

// checkCreate tells whether the caller may make the key: with no more scopes
// than its own, and with a plan of its own only as the server's operator, for
// a plan apart is counted apart.
func (c Caller) checkCreate(k db.Key) error {
	if k.Plan != nil && !c.May(ScopeOperator+verbWrite) {
		return fault.New(fault.Forbidden, "Only the server's operator gives a key a plan of its own.")
	}
	return c.CheckGrant(k.Scopes, k.Agents)
}

// verbsOf spells a scope out with its verbs.
func verbsOf(scope string) []string {
	if strings.Contains(scope, ":") {
		return []string{scope}
	}
	return []string{scope + verbRead, scope + verbWrite}
}

// IsAdministrative tells whether a scope belongs to people who rule, which a
// key in a web page can never have.
func IsAdministrative(scope string) bool {
	area, _, _ := strings.Cut(scope, ":")
	return area == ScopeAdmin || area == ScopeOperator
}

// CheckScopes is an Invalid fault for a scope that does not exist, and a Conflict
// for one of a publishable key that does more than chat.
func CheckScopes(kind Kind, scopes []string) error {
	known := Scopes()
	for _, scope := range scopes {
		if !slices.Contains(known, scope) {
			return fault.New(fault.Invalid, "Unknown scope %q; the scopes are %s.", scope, strings.Join(known, ", "))
		}
		if area, _, _ := strings.Cut(scope, ":"); kind == Publishable && !slices.Contains(pageScopes, area) {
			return fault.New(fault.Conflict, "A publishable key cannot have the scope %s.", scope)
		}
	}
	return nil
}

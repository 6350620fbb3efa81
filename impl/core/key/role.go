package key

// Role is what a person may do in their account.
type Role string

// The roles. An owner rules everything and everybody, an admin everything but
// owners, a member uses the surfaces. Owners of an account that operates the
// server hold the operator's scope as well, in sessions: see Scopes for the rest.
const (
	Owner  Role = "owner"
	Admin  Role = "admin"
	Member Role = "member"
)

// PeoplesApp is the app of people who signed in; it has no row and no agent.
const PeoplesApp = "app_people"

// ServersApp is the app, and serversKey the key, of what the server does for an account unasked. Neither has a row.
const (
	ServersApp = "app_server"
	serversKey = "key_server"
)

// Server is who does an account's work in the background, at its expense: within its balance, and without other limits.
func Server(accountID string) Caller {
	return Caller{AccountID: accountID, By: "server", KeyID: serversKey, AppID: ServersApp, Kind: Secret, Bucket: "account"}
}

// Scopes are what the role holds.
func (r Role) Scopes() []string {
	switch r {
	case Owner, Admin:
		return []string{ScopeAdmin}
	case Member:
		return SurfaceScopes
	}
	return nil
}

// scopesIn are what the role holds in an account: owners of one that operates the server rule that, too.
func (r Role) scopesIn(operating bool) []string {
	if operating && r == Owner {
		return append(r.Scopes(), ScopeOperator)
	}
	return r.Scopes()
}

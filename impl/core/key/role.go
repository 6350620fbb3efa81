package key

// Role is what a person may do in their account.
type Role string

// The roles. An owner rules everything and everybody, an admin everything but
// owners, a member uses the surfaces.
const (
	Owner  Role = "owner"
	Admin  Role = "admin"
	Member Role = "member"
)

// PeoplesApp is the app of people who signed in; it has no row and no agent.
const PeoplesApp = "app_people"

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

package console

import (
	"net/http"

	"parley/gen/client"
	"parley/gen/client/platform"
)

// peoplePage is what the page of people is given.
type peoplePage struct {
	People []platform.User
	Next   string
	Link   string // to send to whoever was invited
	To     string
	Form   map[string]string
}

func (c *Console) showPeople(v *visit) error {
	return v.showPeople(http.StatusOK, view{}, peoplePage{})
}

func (v *visit) showPeople(status int, page view, data peoplePage) error {
	limit := int32(pageSize)
	params := &platform.ListUsersParams{Limit: &limit}
	if cursor := v.URL.Query().Get("cursor"); cursor != "" {
		params.Cursor = &cursor
	}
	var response http.Response
	got, err := v.api.Platform.ListUsers(v.Context(), params, client.Into(&response))
	if err != nil {
		return err
	}
	data.People, data.Next = got, v.next(&response)
	page.Title, page.Nav, page.Data = "People", "people", data
	return v.show(status, "people", page)
}

// invite makes a person and shows the link for them on the answer itself, for it is to be had only now.
func (c *Console) invite(v *visit) error {
	name := v.field("name")
	create := platform.UserCreate{Email: v.field("email"), Name: &name, Role: platform.UserRole(v.field("role"))}
	made, err := v.api.Platform.CreateUser(v.Context(), create, v.once())
	if err != nil {
		return v.refusedPeople(err, map[string]string{"email": create.Email, "name": name})
	}
	return v.showPeople(http.StatusCreated, view{}, v.linked(made))
}

func (v *visit) linked(to *platform.UserInvitation) peoplePage {
	return peoplePage{Link: v.origin() + Prefix + "/password?token=" + to.Token, To: to.Email}
}

func (v *visit) refusedPeople(err error, form map[string]string) error {
	status, text, other := v.refusal(err)
	if other != nil {
		return other
	}
	return v.showPeople(status, view{Error: text}, peoplePage{Form: form})
}

// changePerson does what a button of a person says.
func (c *Console) changePerson(v *visit) error {
	id := v.PathValue("id")
	var update platform.UserUpdate
	done := "saved"
	var err error
	switch do := v.field("do"); do {
	case "link":
		made, err := v.api.Platform.CreateUserLink(v.Context(), id, v.once())
		if err != nil {
			return v.refusedPeople(err, nil)
		}
		return v.showPeople(http.StatusCreated, view{}, v.linked(made))
	case "delete":
		done = "deleted"
		err = v.api.Platform.DeleteUser(v.Context(), id)
	case "activate", "deactivate":
		status := platform.KeyStatusActive
		if do == "deactivate" {
			status = platform.KeyStatusInactive
		}
		update.Status = &status
		_, err = v.api.Platform.UpdateUser(v.Context(), id, update)
	default:
		role := platform.UserRole(v.field("role"))
		update.Role = &role
		_, err = v.api.Platform.UpdateUser(v.Context(), id, update)
	}
	if err != nil {
		return v.refusedPeople(err, nil)
	}
	return v.see("/people", done)
}

// auditPage is what the page of the audit log is given.
type auditPage struct {
	Events []platform.AuditEvent
	Next   string
	Action string
	Of     string // whose acts, for operators; "" for the account's own
}

func (c *Console) showAudit(v *visit) error {
	limit := int32(pageSize)
	query := v.URL.Query()
	params := &platform.ListAuditEventsParams{Limit: &limit}
	if of := query.Get("of"); of != "" {
		params.Of = &of
	}
	if action := query.Get("action"); action != "" {
		params.Action = &action
	}
	if cursor := query.Get("cursor"); cursor != "" {
		params.Cursor = &cursor
	}
	var response http.Response
	got, err := v.api.Platform.ListAuditEvents(v.Context(), params, client.Into(&response))
	if err != nil {
		return err
	}
	data := auditPage{Events: got, Next: v.next(&response), Action: query.Get("action"), Of: query.Get("of")}
	return v.show(http.StatusOK, "audit", view{Title: "Audit log", Nav: "audit", Data: data})
}

// Roles are what a person can be.
func (peoplePage) Roles() []platform.UserRole {
	return []platform.UserRole{platform.UserRoleMember, platform.UserRoleAdmin, platform.UserRoleOwner}
}

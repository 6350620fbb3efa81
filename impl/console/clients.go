package console

import (
	"net/http"
	"slices"
	"strconv"

	"parley/gen/client"
	"parley/gen/client/platform"
)

// clientsPage is what the page of OAuth clients is given.
type clientsPage struct {
	Clients  []platform.OauthClient
	Next     string
	Made     *platform.OauthClientWithSecret
	TokenURL string
	Scopes   []platform.KeyScope
	Name     string // as the form had it
	Chosen   []string
}

// Has tells whether the form had a scope ticked.
func (p clientsPage) Has(scope platform.KeyScope) bool {
	return slices.Contains(p.Chosen, string(scope))
}

// scopes are what the person may hand out.
func (v *visit) scopes() []platform.KeyScope {
	if v.isOperator() {
		return append(slices.Clone(surfaceScopes), platform.KeyScopeOperator)
	}
	return surfaceScopes
}

func (c *Console) showClients(v *visit) error { return v.showClients(http.StatusOK, view{}, nil) }

func (v *visit) showClients(status int, page view, made *platform.OauthClientWithSecret) error {
	var response http.Response
	got, err := v.api.Platform.ListOauthClients(v.Context(), &platform.ListOauthClientsParams{Cursor: v.cursor(), Limit: few()}, client.Into(&response))
	if err != nil {
		return err
	}
	data := clientsPage{Clients: got, Next: v.next(&response), Made: made, TokenURL: v.origin() + "/oauth/token", Scopes: v.scopes()}
	if made == nil {
		data.Name, data.Chosen = v.field("name"), v.PostForm["scopes"]
	}
	page.Title, page.Nav, page.Data = "OAuth clients", "clients", data
	return v.show(status, "clients", page)
}

// createClient makes a client and shows its secret on the answer itself, for it is to be had only now.
func (c *Console) createClient(v *visit) error {
	create := platform.OauthClientCreate{Name: v.field("name"), Scopes: scopesOf(v.PostForm["scopes"])}
	made, err := v.api.Platform.CreateOauthClient(v.Context(), create, v.once())
	if err != nil {
		return v.settle(err, "", "", func(status int, page view) error { return v.showClients(status, page, nil) })
	}
	return v.showClients(http.StatusCreated, view{}, made)
}

// clientPage is the page of one OAuth client.
type clientPage struct {
	Client platform.OauthClient
	Made   *platform.OauthClientWithSecret
	Scopes []platform.KeyScope
}

// Has tells whether the client holds a scope.
func (p clientPage) Has(scope platform.KeyScope) bool {
	return slices.Contains(p.Client.Scopes, scope)
}

// More are the client's scopes that the form does not list.
func (p clientPage) More() []platform.KeyScope {
	return slices.DeleteFunc(slices.Clone(p.Client.Scopes), func(s platform.KeyScope) bool { return slices.Contains(p.Scopes, s) })
}

func (c *Console) showClient(v *visit) error { return v.showClient(http.StatusOK, view{}, nil) }

func (v *visit) showClient(status int, page view, made *platform.OauthClientWithSecret) error {
	got, err := v.api.Platform.GetOauthClient(v.Context(), v.PathValue("id"))
	if err != nil {
		return err
	}
	page.Title, page.Nav, page.Data = got.Name, "clients", clientPage{Client: *got, Made: made, Scopes: v.scopes()}
	return v.show(status, "client", page)
}

// changeClient does what a button of a client says.
func (c *Console) changeClient(v *visit) error {
	id := v.PathValue("id")
	again := func(status int, page view) error { return v.showClient(status, page, nil) }
	var update platform.OauthClientUpdate
	switch v.field("do") {
	case "delete":
		return v.settle(v.api.Platform.DeleteOauthClient(v.Context(), id), "/clients", "deleted", again)
	case "rotate":
		grace, err := strconv.ParseInt(v.field("grace"), 10, 32)
		if err != nil {
			return again(http.StatusBadRequest, view{Error: v.at("grace", "How long the old secret works is a number of seconds.")})
		}
		seconds := int32(grace)
		made, err := v.api.Platform.RotateOauthClient(v.Context(), id, platform.OauthClientRotation{GraceSeconds: &seconds}, v.once())
		if err != nil {
			return v.settle(err, "", "", again)
		}
		return v.showClient(http.StatusOK, view{}, made)
	case "activate", "deactivate":
		status := platform.KeyStatusActive
		if v.field("do") == "deactivate" {
			status = platform.KeyStatusInactive
		}
		update.Status = &status
	default:
		name, scopes := v.field("name"), scopesOf(v.PostForm["scopes"])
		update.Name, update.Scopes = &name, &scopes
	}
	_, err := v.api.Platform.UpdateOauthClient(v.Context(), id, update)
	return v.settle(err, "/clients/"+id, "saved", again)
}

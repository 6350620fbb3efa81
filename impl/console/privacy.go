package console

import (
	"net/http"
	"strconv"

	"parley/gen/client"
	"parley/gen/client/platform"
)

// privacyScopes are what an export or an erasure can be about, in the order of the menu.
var privacyScopes = []privacyScope{
	{platform.PrivacyScopeEndUser, "an end user"}, {platform.PrivacyScopeConversation, "a conversation"}, {platform.PrivacyScopeApp, "an app"}, {platform.PrivacyScopeAccount, "the whole account"},
}

type privacyScope struct {
	Name platform.PrivacyScope
	Text string
}

// privacyPage is what the page of stored data is given.
type privacyPage struct {
	Exports        []platform.Export
	NextExports    string
	Erasures       []platform.Erasure
	NextErasures   string
	Days           *int32 // that conversations are kept; nil for good
	Scopes         []privacyScope
	Do             string // the form that was sent
	Scope, Subject string // as it had them
}

// Name is what people call a scope.
func (privacyPage) Name(s platform.PrivacyScope) string {
	for _, one := range privacyScopes {
		if one.Name == s {
			return one.Text
		}
	}
	return string(s)
}

func (c *Console) showPrivacy(v *visit) error { return v.showPrivacy(http.StatusOK, view{}) }

func (v *visit) showPrivacy(status int, page view) error {
	data := privacyPage{Scopes: privacyScopes, Do: v.field("do"), Scope: v.field("scope"), Subject: v.field("subject")}
	query := v.URL.Query()
	params, more := &platform.ListExportsParams{Limit: few()}, &platform.ListErasuresParams{Limit: few()}
	if cursor := query.Get("exports"); cursor != "" {
		params.Cursor = &cursor
	}
	if cursor := query.Get("erasures"); cursor != "" {
		more.Cursor = &cursor
	}
	var response, second http.Response
	var err error
	if data.Exports, err = v.api.Platform.ListExports(v.Context(), params, client.Into(&response)); err != nil {
		return err
	}
	if data.Erasures, err = v.api.Platform.ListErasures(v.Context(), more, client.Into(&second)); err != nil {
		return err
	}
	kept, err := v.api.Platform.GetRetention(v.Context())
	if err != nil {
		return err
	}
	data.Days, data.NextExports, data.NextErasures = kept.Days, v.nextOf("exports", &response), v.nextOf("erasures", &second)
	page.Title, page.Nav, page.Module, page.Data = "Data", "privacy", "wait.js", data
	return v.show(status, "privacy", page)
}

// nextOf is next for one of several lists of a page, whose cursor has a name of its own.
func (v *visit) nextOf(name string, from *http.Response) string {
	cursor := cursorOf(from.Header.Get("Link"))
	if cursor == "" {
		return ""
	}
	query := v.URL.Query()
	query.Del("done")
	query.Set(name, cursor)
	return v.URL.Path + "?" + query.Encode()
}

// changePrivacy orders an export or an erasure, or says how long conversations are kept.
func (c *Console) changePrivacy(v *visit) error {
	order := platform.PrivacyOrder{Scope: platform.PrivacyScope(v.field("scope"))}
	if subject := v.field("subject"); subject != "" {
		order.Subject = &subject
	}
	do := v.field("do")
	switch whole := order.Scope == platform.PrivacyScopeAccount; {
	case do == "keep":
	case whole && order.Subject != nil:
		return v.showPrivacy(http.StatusBadRequest, view{Error: v.at("subject", "The whole account is meant: leave this empty.")})
	case !whole && order.Subject == nil:
		return v.showPrivacy(http.StatusBadRequest, view{Error: v.at("subject", "Say whose: the name of an end user, or an id.")})
	}
	var err error
	switch do {
	case "export":
		_, err = v.api.Platform.CreateExport(v.Context(), order, v.once())
	case "erase":
		if v.field("sure") != "erase" {
			return v.showPrivacy(http.StatusBadRequest, view{Error: v.at("sure", "What is erased cannot be had back. Type the word erase to order it.")})
		}
		_, err = v.api.Platform.CreateErasure(v.Context(), order, v.once())
	default:
		return v.keepFor(v.field("days"))
	}
	return v.settle(err, "/privacy", "asked", v.showPrivacy)
}

// keepFor stores how many days conversations are kept; "" is for good.
func (v *visit) keepFor(days string) error {
	var kept platform.Retention
	if days != "" {
		n, err := strconv.ParseInt(days, 10, 32)
		if err != nil {
			return v.showPrivacy(http.StatusBadRequest, view{Error: v.at("days", "How long conversations are kept is a number of days, or empty for good.")})
		}
		limit := int32(n)
		kept.Days = &limit
	}
	_, err := v.api.Platform.SetRetention(v.Context(), kept)
	return v.settle(err, "/privacy", "saved", v.showPrivacy)
}

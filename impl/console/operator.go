package console

import (
	"net/http"
	"slices"
	"strconv"

	"parley/gen/client"
	"parley/gen/client/platform"
)

// isOperator tells whether the person may rule the server.
func (v *visit) isOperator() bool {
	return v.me != nil && slices.Contains(v.me.Scopes, platform.KeyScopeOperator)
}

// settle ends what a form asked for: with a redirect that says what was done,
// or with a page that shows why it was not.
func (v *visit) settle(err error, path, done string, show func(status int, page view) error) error {
	if err == nil {
		return v.see(path, done)
	}
	status, text, other := v.refusal(err)
	if other != nil {
		return other
	}
	return show(status, view{Error: text})
}

// cursor is where the page of a list starts that the address asks for; nil for the first.
func (v *visit) cursor() *string {
	if cursor := v.URL.Query().Get("cursor"); cursor != "" {
		return &cursor
	}
	return nil
}

// few is how many rows a list asks for.
func few() *int32 {
	n := int32(pageSize)
	return &n
}

// aliasesPage is what the page of model aliases is given.
type aliasesPage struct {
	Aliases      []platform.ModelAlias
	Next         string
	Models       []platform.OfferedModel // that every account may use
	Alias, Model string                  // as the form had them
}

func (c *Console) showAliases(v *visit) error {
	return v.showAliases(http.StatusOK, view{})
}

func (v *visit) showAliases(status int, page view) error {
	var response http.Response
	got, err := v.api.Platform.ListModelAliases(v.Context(), &platform.ListModelAliasesParams{Cursor: v.cursor(), Limit: few()}, client.Into(&response))
	if err != nil {
		return err
	}
	many := int32(2 * pageSize)
	models, err := v.api.Platform.ListOfferedModels(v.Context(), &platform.ListOfferedModelsParams{Limit: &many})
	if err != nil {
		return err
	}
	data := aliasesPage{Aliases: got, Next: v.next(&response), Alias: v.field("alias"), Model: v.field("model")}
	for _, m := range models {
		if m.Shared {
			data.Models = append(data.Models, m)
		}
	}
	page.Title, page.Nav, page.Data = "Model aliases", "aliases", data
	return v.show(status, "aliases", page)
}

// changeAlias lets a name mean a model, or nothing.
func (c *Console) changeAlias(v *visit) error {
	if v.field("do") == "delete" {
		return v.settle(v.api.Platform.DeleteModelAlias(v.Context(), v.field("alias")), "/aliases", "deleted", v.showAliases)
	}
	_, err := v.api.Platform.PutModelAlias(v.Context(), v.field("alias"), platform.ModelAliasDefinition{Model: v.field("model")})
	return v.settle(err, "/aliases", "saved", v.showAliases)
}

// plansPage is what the page of plans is given.
type plansPage struct {
	Plans []platform.Plan
	Next  string
	Form  map[string]string // as the form had it
}

func (c *Console) showPlans(v *visit) error { return v.showPlans(http.StatusOK, view{}) }

func (v *visit) showPlans(status int, page view) error {
	var response http.Response
	got, err := v.api.Platform.ListPlans(v.Context(), &platform.ListPlansParams{Cursor: v.cursor(), Limit: few()}, client.Into(&response))
	if err != nil {
		return err
	}
	data := plansPage{Plans: got, Next: v.next(&response), Form: map[string]string{}}
	for _, name := range []string{"name", "requests", "streams", "tokens", "storage"} {
		data.Form[name] = v.field(name)
	}
	page.Title, page.Nav, page.Data = "Plans", "plans", data
	return v.show(status, "plans", page)
}

// changePlan stores what a plan says, or deletes it.
func (c *Console) changePlan(v *visit) error {
	name := v.field("name")
	if v.field("do") == "delete" {
		return v.settle(v.api.Platform.DeletePlan(v.Context(), name), "/plans", "deleted", v.showPlans)
	}
	var plan platform.PlanDefinition
	plan.RequestsPerMinute = limitIn[int32](v, "requests")
	plan.ConcurrentStreams = limitIn[int32](v, "streams")
	plan.TokensPerMinute = limitIn[int32](v, "tokens")
	plan.StorageBytes = limitIn[int64](v, "storage")
	if len(v.wrong) > 0 {
		return v.showPlans(http.StatusBadRequest, view{Error: noLimit})
	}
	_, err := v.api.Platform.PutPlan(v.Context(), name, plan)
	return v.settle(err, "/plans", "saved", v.showPlans)
}

const noLimit = "A limit is a whole number, or empty for none."

// limitIn reads a whole number from a field of the form; nil for nothing, and what is wrong is noted.
func limitIn[T int32 | int64](v *visit, field string) *T {
	text := v.field(field)
	if text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if out := T(n); err == nil && int64(out) == n {
		return &out
	}
	v.at(field, noLimit)
	return nil
}

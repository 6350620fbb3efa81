package httpd

import (
	"net/http"
	"net/url"

	"parley/impl/core/fault"
)

// formType is the media type of HTML's and OAuth's forms.
const formType = "application/x-www-form-urlencoded"

// validateForm checks a form against its schema and leaves it to the generated
// wrapper, without what stands in the query: a secret there would end up in
// logs of others. As RFC 6749 wants, a parameter without a value counts as
// absent, and one that stands twice is refused.
func (o *operation) validateForm(r *http.Request, b *body) error {
	values, err := url.ParseQuery(string(b.raw))
	if err != nil {
		return fault.New(fault.Invalid, "The request body is not a valid form.").Because(err)
	}
	if !storableParameters("", values) {
		return fault.New(fault.Invalid, "The form contains a NUL character or is not UTF-8.")
	}
	members := make(map[string]any, len(values))
	for name := range o.form.Properties {
		given := values[name]
		if len(given) > 1 {
			return invalid([]fault.Field{{In: "body", Path: "/" + name, Rule: "single", Reason: "is given more than once"}})
		}
		if len(given) == 1 && given[0] != "" {
			members[name] = given[0]
		} else {
			values.Del(name)
		}
	}
	b.value = members
	if err := o.form.VisitJSON(members, bodyOptions...); err != nil {
		return invalid(bodyFields(err))
	}
	r.PostForm, r.Form = values, values
	return nil
}

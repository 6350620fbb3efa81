package key

import (
	"slices"
	"testing"
)

func TestScopesStayWithinThoseTheyAreFrom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ scopes, held, want []string }{
		{[]string{"webchat"}, []string{"webchat", "openai"}, []string{"webchat"}},
		{[]string{"webchat"}, []string{"webchat:read"}, []string{"webchat:read"}},
		{[]string{"webchat:read"}, []string{"webchat"}, []string{"webchat:read"}},
		{[]string{"webchat:write"}, []string{"webchat:read"}, []string{}},
		{[]string{"webchat", "openai"}, []string{"openai"}, []string{"openai"}},
		{[]string{"webchat"}, []string{"admin"}, []string{"webchat"}},
		{[]string{"operator"}, []string{"admin"}, []string{}},
		{[]string{"webchat"}, []string{}, []string{}},
	} {
		if got := Within(c.scopes, c.held); !slices.Equal(got, c.want) {
			t.Errorf("%v within %v are %v, want %v", c.scopes, c.held, got, c.want)
		}
	}
}

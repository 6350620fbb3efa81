package console

import "testing"

// TestEveryPageParses finds defects that otherwise only a page's first visitor would meet.
func TestEveryPageParses(t *testing.T) {
	all := loadPages(loadStatic)
	if len(all) < 20 {
		t.Fatalf("%d pages", len(all))
	}
	for name, page := range all {
		if page().Lookup("layout") == nil {
			t.Errorf("%s has no layout", name)
		}
	}
}

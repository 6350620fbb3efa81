package knowledge

import (
	"time"

	"parley/impl/core/fault"
)

// When a source is refreshed.
const (
	Never    = "never"
	Daily    = "daily"
	Weekly   = "weekly"
	Monthly  = "monthly"
	Advanced = "advanced"
)

// Slot are times of a week, in UTC: each of the hours on each of the days.
type Slot struct {
	Days  []int    `json:"days"`  // 0 is Sunday, and so is 7
	Hours []string `json:"hours"` // "15:04"
}

// slotsMax bounds what a schedule costs to look through.
const slotsMax = 50

func (set SourceSettings) check() error {
	switch set.Refresh {
	case Never, Daily, Weekly, Monthly, Advanced:
	default:
		return fault.New(fault.Invalid, "A source is refreshed never, daily, weekly, monthly or by an advanced schedule.")
	}
	switch set.RefreshExistingPages {
	case RefreshNever, RefreshAlways, RefreshIfUpdated:
	default:
		return fault.New(fault.Invalid, "Existing pages are refreshed never, always or if_updated.")
	}
	if set.Refresh == Advanced && len(set.Schedule) == 0 || len(set.Schedule) > slotsMax {
		return fault.New(fault.Invalid, "An advanced schedule has between 1 and %d entries.", slotsMax)
	}
	for _, slot := range set.Schedule {
		if len(slot.Days) == 0 || len(slot.Days) > 8 || len(slot.Hours) == 0 || len(slot.Hours) > 24 {
			return fault.New(fault.Invalid, "Each entry of a schedule has days and hours.")
		}
		for _, day := range slot.Days {
			if day < 0 || day > 7 {
				return fault.New(fault.Invalid, "The days of a schedule are 0 (Sunday) to 6 (Saturday).")
			}
		}
		for _, hour := range slot.Hours {
			if _, err := time.Parse("15:04", hour); err != nil {
				return fault.New(fault.Invalid, "The hours of a schedule are written HH:MM.")
			}
		}
	}
	return nil
}

// nextRefresh is when a source with the settings is to be refreshed next; nil: never.
func nextRefresh(set SourceSettings, now time.Time) *time.Time {
	var next time.Time
	switch set.Refresh {
	case Daily:
		next = now.AddDate(0, 0, 1)
	case Weekly:
		next = now.AddDate(0, 0, 7)
	case Monthly:
		next = now.AddDate(0, 1, 0)
	case Advanced:
		next = nextSlot(set.Schedule, now.UTC())
	}
	if next.IsZero() {
		return nil
	}
	return &next
}

// nextSlot is the first time of a schedule after now.
func nextSlot(schedule []Slot, now time.Time) time.Time {
	var first time.Time
	for ahead := range 8 {
		day := now.AddDate(0, 0, ahead)
		for _, slot := range schedule {
			for _, d := range slot.Days {
				if time.Weekday(d%7) != day.Weekday() {
					continue
				}
				for _, hour := range slot.Hours {
					t, _ := time.Parse("15:04", hour) // checked when it was stored
					at := time.Date(day.Year(), day.Month(), day.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
					if at.After(now) && (first.IsZero() || at.Before(first)) {
						first = at
					}
				}
			}
		}
	}
	return first
}

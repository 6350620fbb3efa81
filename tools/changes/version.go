package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// announces tells whether the step from one version to another says that clients can fail.
func announces(from, to string) (bool, error) {
	a, b, err := versions(from, to)
	if err != nil {
		return false, err
	}
	return b[0] > a[0] || a[0] == 0 && b[0] == 0 && b[1] > a[1], nil
}

// follows tells whether to is the later version.
func follows(from, to string) (bool, error) {
	a, b, err := versions(from, to)
	return cmp.Or(cmp.Compare(b[0], a[0]), cmp.Compare(b[1], a[1]), cmp.Compare(b[2], a[2])) > 0, err
}

func versions(from, to string) (a, b [3]int, err error) {
	if a, err = parse(from); err == nil {
		b, err = parse(to)
	}
	return a, b, err
}

func parse(version string) (numbers [3]int, err error) {
	parts := strings.Split(version, ".")
	if len(parts) != len(numbers) {
		return numbers, fmt.Errorf("version %q is not major.minor.patch", version)
	}
	for i, part := range parts {
		if numbers[i], err = strconv.Atoi(part); err != nil || numbers[i] < 0 {
			return numbers, fmt.Errorf("version %q is not major.minor.patch", version)
		}
	}
	return numbers, nil
}

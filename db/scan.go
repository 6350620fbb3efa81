package db

import (
	"database/sql"
	"fmt"
	"reflect"
	"time"

	"github.com/jmoiron/sqlx"
)

// Rows are read by the names that sqlx gives fields, but not by sqlx: it would
// make each row twice, and what the pointers of a row point to as well.

// scanOne reads the only row into what dst points to, and closes rows; no row is sql.ErrNoRows.
func scanOne(rows *sqlx.Rows, dst any) error {
	defer func() { _ = rows.Close() }() // after an error, or again
	one := reflect.ValueOf(dst).Elem()
	places, err := placesOf(rows, one)
	if err != nil {
		return err
	}
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return sql.ErrNoRows
	}
	if err := rows.Scan(places...); err != nil {
		return err
	}
	return rows.Close()
}

// firstRows is how many rows a list has room for at first; what it is given has as much as it has.
const firstRows = 8

// scanAll reads the rows into the slice that dst points to, and closes rows.
func scanAll(rows *sqlx.Rows, dst any) error {
	defer func() { _ = rows.Close() }() // after an error, or again
	list := reflect.ValueOf(dst).Elem()
	row := reflect.New(list.Type().Elem()).Elem()
	places, err := placesOf(rows, row)
	if err != nil {
		return err
	}
	list.SetLen(0)
	for n := 0; rows.Next(); n++ {
		row.SetZero() // some types fill the room that they find
		if err := rows.Scan(places...); err != nil {
			return err
		}
		if n == list.Cap() {
			list.Grow(max(firstRows, n))
		}
		list.SetLen(n + 1)
		list.Index(n).Set(row)
	}
	return rows.Err()
}

// placesOf returns pointers to where the columns of a row belong: to the fields
// that are called after them, or to the value of the only column.
func placesOf(rows *sqlx.Rows, row reflect.Value) ([]any, error) {
	if !hasFields(row.Type()) {
		return []any{row.Addr().Interface()}, nil
	}
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	places, fields := make([]any, len(columns)), rows.Mapper.TypeMap(row.Type()).Names
	for i, column := range columns {
		field, known := fields[column]
		if !known {
			return nil, fmt.Errorf("%v has no field for column %s", row.Type(), column)
		}
		places[i] = row.FieldByIndex(field.Index).Addr().Interface()
	}
	return places, nil
}

// hasFields tells whether columns are fields of t, which else is a column itself.
func hasFields(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]() && !reflect.PointerTo(t).Implements(reflect.TypeFor[sql.Scanner]())
}

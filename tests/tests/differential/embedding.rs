//! "Resource Embedding": every kind of relation, hints, joins, spread.

use crate::question::questions;

questions! {
    // ---- kinds of relations ----
    many_to_one: "films?select=title,directors(id,last_name)" => { "table": "films", "select": "title,directors(id,last_name)" };
    many_to_one_all_columns: "films?select=*,directors(*)" => { "table": "films", "select": "*,directors(*)" };
    many_to_one_renamed: "films?select=title,director:directors(last_name)" =>
        { "table": "films", "select": "title,director:directors(last_name)" };
    one_to_many: "directors?select=last_name,films(title)" => { "table": "directors", "select": "last_name,films(title)" };
    many_to_many: "actors?select=first_name,films(title)" => { "table": "actors", "select": "first_name,films(title)" };
    many_to_many_from_the_other_side: "films?select=title,actors(first_name,last_name)" =>
        { "table": "films", "select": "title,actors(first_name,last_name)" };
    one_to_one: "films?select=title,technical_specs(camera)" => { "table": "films", "select": "title,technical_specs(camera)" };
    one_to_one_from_the_other_side: "technical_specs?select=camera,films(title)" =>
        { "table": "technical_specs", "select": "camera,films(title)" };
    key_of_two_columns: "stock?select=sku,warehouses(label)" => { "table": "stock", "select": "sku,warehouses(label)" };
    key_of_two_columns_from_the_other_side: "warehouses?select=label,stock(sku,pieces)" =>
        { "table": "warehouses", "select": "label,stock(sku,pieces)" };
    partitioned_table: "box_office?select=bo_date,gross,films(title)&gross=gte.1000" =>
        { "table": "box_office", "select": "bo_date,gross,films(title)", "filter": { "gross": "gte.1000" } };
    towards_a_partitioned_table: "films?select=title,box_office(bo_date,gross)" =>
        { "table": "films", "select": "title,box_office(bo_date,gross)" };
    several_relations: "films?select=title,directors(last_name),roles(character),competitions(name,year),technical_specs(sound)" =>
        { "table": "films", "select": "title,directors(last_name),roles(character),competitions(name,year),technical_specs(sound)" };

    // ---- hidden rows: films 9, director 5, actor 4 ----
    hidden_rows_are_not_embedded: "directors?select=id,films(id)" => { "table": "directors", "select": "id,films(id)" };
    hidden_to_one_row_is_null: "films?select=id,directors(id)&id=eq.10" =>
        { "table": "films", "select": "id,directors(id)", "filter": { "id": 10 } };
    hidden_rows_behind_a_junction: "roles?select=character,actors(id),films(id)" =>
        { "table": "roles", "select": "character,actors(id),films(id)" };

    // ---- choosing among several ----
    hint_by_constraint: "orders?select=name,billing_address:addresses!billing(name),shipping_address:addresses!shipping(name)" =>
        { "table": "orders", "select": "name,billing_address:addresses!billing(name),shipping_address:addresses!shipping(name)" };
    hint_by_constraint_one_to_many: "addresses?select=name,billing_orders:orders!billing(name),shipping_orders:orders!shipping(name)" =>
        { "table": "addresses", "select": "name,billing_orders:orders!billing(name),shipping_orders:orders!shipping(name)" };
    hint_by_column: "orders?select=name,addresses!billing_id(name)" => { "table": "orders", "select": "name,addresses!billing_id(name)" };
    key_column_as_the_relation: "orders?select=name,billing_id(name)" => { "table": "orders", "select": "name,billing_id(name)" };
    constraint_as_the_relation: "orders?select=name,shipping(name)" => { "table": "orders", "select": "name,shipping(name)" };
    hint_by_junction: "films?select=title,actors!roles(last_name)" => { "table": "films", "select": "title,actors!roles(last_name)" };
    self_reference_to_one: "employees?select=last_name,supervisor:supervisor_id(last_name)" =>
        { "table": "employees", "select": "last_name,supervisor:supervisor_id(last_name)" };
    self_reference_to_many: "employees?select=last_name,reports:employees!supervisor_id(last_name)" =>
        { "table": "employees", "select": "last_name,reports:employees!supervisor_id(last_name)" };
    self_reference_twice: "employees?select=last_name,boss:supervisor_id(last_name,boss:supervisor_id(last_name))" =>
        { "table": "employees", "select": "last_name,boss:supervisor_id(last_name,boss:supervisor_id(last_name))" };
    self_reference_one_to_one: "employees?select=last_name,mentor:mentor_id(last_name)&id=lt.4" =>
        { "table": "employees", "select": "last_name,mentor:mentor_id(last_name)", "filter": { "id": "lt.4" } }
        differs "PostgREST 12 needs a function of its own for a one-to-one key to the table itself":
        [{ "last_name": "Chief", "mentor": null }, { "last_name": "Second", "mentor": { "last_name": "Chief" } }, { "last_name": "Third", "mentor": { "last_name": "Second" } }];

    // ---- joins ----
    inner_to_one: "films?select=id,directors!inner(last_name)" => { "table": "films", "select": "id,directors!inner(last_name)" };
    inner_to_many: "directors?select=id,films!inner(id)" => { "table": "directors", "select": "id,films!inner(id)" };
    inner_many_to_many: "actors?select=id,films!inner(id)" => { "table": "actors", "select": "id,films!inner(id)" };
    left_written_out: "films?select=id,directors!left(last_name)" => { "table": "films", "select": "id,directors!left(last_name)" };
    hint_and_inner: "orders?select=id,addresses!shipping!inner(name)" => { "table": "orders", "select": "id,addresses!shipping!inner(name)" };
    inner_within_left: "directors?select=id,films(id,technical_specs!inner(camera))" =>
        { "table": "directors", "select": "id,films(id,technical_specs!inner(camera))" };
    inner_within_inner: "directors?select=id,films!inner(id,technical_specs!inner(camera))" =>
        { "table": "directors", "select": "id,films!inner(id,technical_specs!inner(camera))" };

    // ---- nesting ----
    nested: "actors?select=last_name,roles(character,films(title,year))" =>
        { "table": "actors", "select": "last_name,roles(character,films(title,year))" };
    nested_three_levels: "directors?select=last_name,films(title,roles(character,actors(last_name)))" =>
        { "table": "directors", "select": "last_name,films(title,roles(character,actors(last_name)))" };
    there_and_back: "films?select=title,directors(last_name,films(title))&id=eq.1" =>
        { "table": "films", "select": "title,directors(last_name,films(title))", "filter": { "id": 1 } };

    // ---- spread ----
    spread: "films?select=title,...directors(director_last_name:last_name)" =>
        { "table": "films", "select": "title,...directors(director_last_name:last_name)" };
    spread_of_a_junction: "films?select=title,actors:roles(character,...actors(first_name,last_name))" =>
        { "table": "films", "select": "title,actors:roles(character,...actors(first_name,last_name))" };
    spread_in_a_spread: "roles?select=character,...films(title,...directors(director:last_name))" =>
        { "table": "roles", "select": "character,...films(title,...directors(director:last_name))" };
    spread_inner: "films?select=title,...technical_specs!inner(camera)" => { "table": "films", "select": "title,...technical_specs!inner(camera)" };
    spread_with_an_embed: "roles?select=character,...films(title,directors(last_name))" =>
        { "table": "roles", "select": "character,...films(title,directors(last_name))" };

    // ---- JSON and casts in an embed ----
    paths_and_casts_in_an_embed: "directors?select=id,films(kind:extra->>blood_type,rating::text)" =>
        { "table": "directors", "select": "id,films(kind:extra->>blood_type,rating::text)" };
}

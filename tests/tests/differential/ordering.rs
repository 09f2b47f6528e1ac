//! "Ordering" and "Top-level Ordering". The order of the rows is compared, too.

use crate::question::questions;

questions! {
    several_columns: "films?select=id&order=language.desc,title.asc" => { "table": "films", "select": "id", "order": "language.desc,title.asc" };
    default_direction: "films?select=id,title&order=title" => { "table": "films", "select": "id,title", "order": "title" };
    nulls_by_default: "films?select=id&order=rating.desc,id" => { "table": "films", "select": "id", "order": "rating.desc,id" };
    nullsfirst: "films?select=id&order=rating.nullsfirst,id" => { "table": "films", "select": "id", "order": "rating.nullsfirst,id" };
    nullslast: "films?select=id&order=rating.desc.nullslast,id.desc" => { "table": "films", "select": "id", "order": "rating.desc.nullslast,id.desc" };
    blanks_between_items: "films?select=id&order=rating.nullsfirst,id" => { "table": "films", "select": "id", "order": "rating.nullsfirst, id" };
    by_a_column_that_is_not_selected: "films?select=title&order=year.desc,id" => { "table": "films", "select": "title", "order": "year.desc,id" };
    by_json_as_text: "films?select=id&order=extra->>age,id" => { "table": "films", "select": "id", "order": "extra->>age,id" };
    by_json_as_a_number: "films?select=id&order=extra->age.desc.nullslast,id" =>
        { "table": "films", "select": "id", "order": "extra->age.desc.nullslast,id" };
    by_a_field_of_a_row_type: "countries?select=id&order=location->>lat,id" => { "table": "countries", "select": "id", "order": "location->>lat,id" };
    by_an_array_element: "countries?select=id&order=languages->>0.desc.nullslast,id" =>
        { "table": "countries", "select": "id", "order": "languages->>0.desc.nullslast,id" };
    by_an_enum: "samples?select=id&order=mood.desc.nullslast,id" => { "table": "samples", "select": "id", "order": "mood.desc.nullslast,id" };
    by_a_range: "samples?select=id&order=span,id" => { "table": "samples", "select": "id", "order": "span,id" };
    by_a_related_column: "films?select=title,directors(last_name)&order=directors(last_name).desc,id" =>
        { "table": "films", "select": "title,directors(last_name)", "order": "directors(last_name).desc,id" };
    by_a_related_column_nulls: "films?select=id,directors(last_name)&order=directors(last_name).asc.nullsfirst,id" =>
        { "table": "films", "select": "id,directors(last_name)", "order": "directors(last_name).asc.nullsfirst,id" };
    by_a_related_column_that_is_not_selected: "films?select=id,directors()&order=directors(born).nullslast,id" =>
        { "table": "films", "select": "id", "order": "directors(born).nullslast,id" };
    by_a_related_column_with_a_hint:
        "orders?select=id,addresses!shipping(name)&order=addresses(name).desc.nullslast,id" =>
        { "table": "orders", "select": "id,addresses!shipping(name)", "order": "addresses!shipping(name).desc.nullslast,id" };
    by_a_one_to_one_relation: "films?select=id,technical_specs(camera)&order=technical_specs(camera).desc.nullslast,id" =>
        { "table": "films", "select": "id,technical_specs(camera)", "order": "technical_specs(camera).desc.nullslast,id" };
    by_a_related_json_path: "marks?select=id,samples(data)&order=samples(data->>k).nullslast,id&limit=40" =>
        { "table": "marks", "select": "id,samples(data)", "order": "samples(data->>k).nullslast,id", "limit": 40 };
}

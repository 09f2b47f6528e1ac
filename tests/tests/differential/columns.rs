//! "Vertical Filtering": columns, renaming, casting, JSON, composite and array columns; and how values look.

use crate::question::questions;

questions! {
    all_columns: "films" => { "table": "films" };
    star: "films?select=*" => { "table": "films", "select": "*" };
    some_columns: "films?select=title,year" => { "table": "films", "select": "title,year" };
    some_columns_as_a_list: "films?select=title,year" => { "table": "films", "select": ["title", "year"] };
    star_and_a_renamed_column: "directors?select=*,name:last_name" => { "table": "directors", "select": "*,name:last_name" };
    renaming: "films?select=fullTitle:title,released:year" => { "table": "films", "select": "fullTitle:title,released:year" };
    casting: "films?select=title,rating::text" => { "table": "films", "select": "title,rating::text" };
    casting_and_renaming: "films?select=stars:rating::int" => { "table": "films", "select": "stars:rating::int" };
    casting_to_a_date: "samples?select=id,at::date" => { "table": "samples", "select": "id,at::date" };
    casting_json_to_text: "films?select=id,extra::text" => { "table": "films", "select": "id,extra::text" };
    casting_an_array_to_text: "films?select=id,tags::text" => { "table": "films", "select": "id,tags::text" };
    casting_text_to_json: "samples?select=big::text,nums::text&label=eq.alpha" =>
        { "table": "samples", "select": "big::text,nums::text", "filter": { "label": "eq.alpha" } };

    // ---- JSON ----
    json_path: "films?select=id,extra->>blood_type,extra->phones" => { "table": "films", "select": "id,extra->>blood_type,extra->phones" };
    json_path_with_an_index: "films?select=id,extra->phones->0->>number" => { "table": "films", "select": "id,extra->phones->0->>number" };
    json_path_with_a_negative_index: "films?select=id,last:extra->phones->-1->>number" =>
        { "table": "films", "select": "id,last:extra->phones->-1->>number" };
    json_path_renamed: "films?select=id,kind:extra->>blood_type" => { "table": "films", "select": "id,kind:extra->>blood_type" };
    json_path_cast: "films?select=id,extra->budget->>amount::numeric" => { "table": "films", "select": "id,extra->budget->>amount::numeric" };
    json_key_in_quotes: "films?select=id,v:extra->\"a.b\"->>\"c d\"" => { "table": "films", "select": "id,v:extra->\"a.b\"->>\"c d\"" };
    json_of_type_json: "countries?select=id,facts->>people,facts->kings" => { "table": "countries", "select": "id,facts->>people,facts->kings" };
    json_filter_as_text: "films?select=id&extra->>blood_type=eq.A-" => { "table": "films", "select": "id", "filter": { "extra->>blood_type": "eq.A-" } };
    json_filter_as_a_number: "films?select=id,extra->age&extra->age=gt.20" =>
        { "table": "films", "select": "id,extra->age", "filter": { "extra->age": { "gt": 20 } } };
    json_filter_eq_number: "films?select=id&extra->age=eq.35" => { "table": "films", "select": "id", "filter": { "extra->age": "eq.35" } };
    json_filter_deep: "films?select=id&extra->budget->>unit=eq.k" => { "table": "films", "select": "id", "filter": { "extra->budget->>unit": "eq.k" } };
    json_filter_like: "films?select=id&extra->>blood_type=like.*-" => { "table": "films", "select": "id", "filter": { "extra->>blood_type": "like.%-" } };
    json_filter_is_null: "films?select=id&extra->>blood_type=is.null" =>
        { "table": "films", "select": "id", "filter": { "extra->>blood_type": "is.null" } };
    json_filter_in: "films?select=id&extra->>age=in.(25,99)" => { "table": "films", "select": "id", "filter": { "extra->>age": { "in": ["25", "99"] } } };
    json_filter_contains: "films?select=id&extra->phones=cs.[{\"country\":\"43\"}]" =>
        { "table": "films", "select": "id", "filter": { "extra->phones": { "cs": [{ "country": "43" }] } } };

    // ---- composite and array columns ----
    composite_field: "countries?select=id,location->>lat,location->>long&location->lat=gte.19" =>
        { "table": "countries", "select": "id,location->>lat,location->>long", "filter": { "location->lat": "gte.19" } };
    composite_whole: "countries?select=id,location" => { "table": "countries", "select": "id,location" };
    array_element: "countries?select=id,primary_language:languages->0" => { "table": "countries", "select": "id,primary_language:languages->0" };
    array_element_as_text: "countries?select=id,primary_language:languages->>0" =>
        { "table": "countries", "select": "id,primary_language:languages->>0" };
    array_element_filter: "countries?select=id&languages->>0=eq.nb" => { "table": "countries", "select": "id", "filter": { "languages->>0": "eq.nb" } };

    // ---- views, how values look ----
    view: "long_films?select=title,runtime" => { "table": "long_films", "select": "title,runtime" };
    every_type: "samples?order=id&limit=80" => { "table": "samples", "order": "id", "limit": 80 };
    big_numbers: "box_office?select=film_id,gross" => { "table": "box_office", "select": "film_id,gross" };
}

//! The mappings that an administrator switches on: mail, 所属, 退職日 and custom items.

use renkei_events::codes::Code;
use renkei_events::record::EmployeeRecord;
use renkei_store::settings::{CustomField, Settings, SourceField};

use super::names::{legal_name, trimmed};
use super::{Departments, Known, Unmappable};
use crate::members::doc::Layout;

type Fields = Vec<(String, Option<String>)>;

/// The items of カオナビ that the settings fill beyond the five fields.
#[must_use]
pub fn items(settings: &Settings) -> Vec<String> {
    let standard = [
        ("mail", settings.mail),
        ("retired_date", settings.retired_date),
        ("department", settings.departments.is_some()),
    ];
    let standard = standard.into_iter().filter(|(_, on)| *on).map(|(item, _)| item.to_owned());
    standard.chain(settings.custom.keys().cloned()).collect()
}

/// What the further mappings make of a record. 退職日 is not among them: it goes over when somebody becomes 退職; of others
/// it can only be cleared.
pub(super) fn fields(record: &EmployeeRecord, settings: &Settings, known: Known<'_>) -> Result<Fields, Unmappable> {
    for item in items(settings) {
        writable(known.layout, &item)?;
    }
    let mut fields = Fields::new();
    if settings.mail {
        fields.push(("mail".to_owned(), text(record.email.as_deref())));
    }
    if settings.retired_date {
        fields.push(("retired_date".to_owned(), None));
    }
    if let (Some(table), Departments::Known(codes)) = (&settings.departments, known.departments) {
        fields.push(("department".to_owned(), department(record, table, codes)?));
    }
    for (item, field) in &settings.custom {
        fields.push((item.clone(), custom(record, settings, field)));
    }
    Ok(fields)
}

/// Whether the layout has the item and lets it be written.
pub(super) fn writable(layout: &Layout, item: &str) -> Result<(), Unmappable> {
    match layout.get(item) {
        Some(found) if !found.read_only => Ok(()),
        _ => Err(Unmappable { code: Code::MappingItemNotInLayout.as_str(), detail: item.to_owned() }),
    }
}

/// Whether カオナビ still has the item of a constant and, for 所属, the code.
pub(super) fn constant(known: Known<'_>, item: &str, value: &str) -> Result<(), Unmappable> {
    writable(known.layout, item)
        .map_err(|fault| Unmappable { code: Code::MappingConstantNotInLayout.as_str(), ..fault })?;
    match known.departments {
        Departments::Known(codes) if item == "department" && !codes.contains(value) => {
            Err(Unmappable { code: Code::MappingDepartmentNotInKaonavi.as_str(), detail: value.to_owned() })
        }
        _ => Ok(()),
    }
}

fn department(
    record: &EmployeeRecord,
    table: &std::collections::BTreeMap<String, String>,
    codes: &std::collections::BTreeSet<String>,
) -> Result<Option<String>, Unmappable> {
    let code = record.department.as_ref().and_then(|department| trimmed(department.code.as_deref()));
    let Some(code) = code else { return Ok(None) };
    let Some(mapped) = table.get(code) else {
        return Err(Unmappable { code: Code::MappingDepartmentUnmapped.as_str(), detail: code.to_owned() });
    };
    if codes.contains(mapped) {
        Ok(Some(mapped.clone()))
    } else {
        Err(Unmappable { code: Code::MappingDepartmentNotInKaonavi.as_str(), detail: mapped.clone() })
    }
}

fn custom(record: &EmployeeRecord, settings: &Settings, field: &CustomField) -> Option<String> {
    let value = source_value(record, settings, field.from)?;
    Some(choice(record, field, &value).cloned().unwrap_or(value))
}

/// What the table says of a value. A status may stand there by any word that the source has for it, or by code.
fn choice<'a>(record: &EmployeeRecord, field: &'a CustomField, value: &str) -> Option<&'a String> {
    if field.from != SourceField::EmployeeStatus {
        return field.choices.get(value);
    }
    let status = &record.employee_status;
    let mut words = std::iter::once(value).chain(status.labels()).chain([status.as_str()]);
    words.find_map(|word| field.choices.get(word))
}

fn source_value(record: &EmployeeRecord, settings: &Settings, field: SourceField) -> Option<String> {
    let department = record.department.as_ref();
    match field {
        SourceField::EmploymentType => text(record.employment_type.as_deref()),
        // As the source writes it: カオナビ's choices have those words, not our codes.
        SourceField::EmployeeStatus => text(record.employee_status.labels().first().copied()),
        SourceField::DepartmentCode => text(department.and_then(|department| department.code.as_deref())),
        SourceField::DepartmentName => text(department.and_then(|department| department.name.as_deref())),
        SourceField::Email => text(record.email.as_deref()),
        SourceField::HireDate => record.hire_date.map(|date| date.to_string()),
        SourceField::RetiredDate => record.retired_date.map(|date| date.to_string()),
        SourceField::Birthday => record.birthday.map(|date| date.to_string()),
        SourceField::LegalName => legal_name(record, settings),
        SourceField::BusinessName => text(record.business_name.as_deref()),
    }
}

fn text(value: Option<&str>) -> Option<String> {
    trimmed(value).map(str::to_owned)
}

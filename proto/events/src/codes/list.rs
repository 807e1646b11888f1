//! The list itself: text, side, whether a person has to act, and the titles of each code.

use super::{Side, codes};

codes! {
    KaonaviCredentialsRefused: "kaonavi.credentials_refused", Destination, Act,
        "カオナビの認証情報が受け付けられませんでした",
        "カオナビ refused the Consumer Key or the Consumer Secret";
    KaonaviUnauthorized: "kaonavi.unauthorized", Destination, Act,
        "カオナビに接続を認められませんでした",
        "カオナビ refused a fresh token";
    KaonaviForbidden: "kaonavi.forbidden", Destination, Act,
        "カオナビで必要な操作が許可されていません",
        "カオナビ does not permit a call";
    KaonaviLayoutUnreadable: "kaonavi.layout_unreadable", Destination, Act,
        "カオナビの項目の一覧を読み取れませんでした",
        "カオナビ's layout can not be read";
    KaonaviMemberListTooLarge: "kaonavi.member_list_too_large", Destination, Act,
        "カオナビのメンバー一覧が大きすぎて読み取れません",
        "カオナビ's member list is too large";
    KaonaviAnswerTooLarge: "kaonavi.answer_too_large", Destination, Act,
        "カオナビからの応答が大きすぎます",
        "An answer of カオナビ is too large";
    KaonaviGenderNotInLayout: "kaonavi.gender_not_in_layout", Destination, Act,
        "カオナビに性別の項目がありません",
        "カオナビ's layout has no 性別";
    KaonaviDepartmentsNotPermitted: "kaonavi.departments_not_permitted", Destination, Act,
        "カオナビの所属の一覧を取得できません",
        "カオナビ does not permit reading the departments";
    KaonaviRejected: "kaonavi.rejected", Destination, Act,
        "カオナビがこの方の登録・更新を受け付けませんでした",
        "カオナビ refused this person";
    KaonaviUnavailable: "kaonavi.unavailable", Destination, Act,
        "カオナビから応答がありません",
        "カオナビ does not answer";
    KaonaviTaskError: "kaonavi.task_error", Destination, Act,
        "カオナビの処理がエラーで終わりました",
        "A task of カオナビ ended in an error";
    KaonaviTaskStuck: "kaonavi.task_stuck", Destination, Act,
        "カオナビの処理が終わりません",
        "A task of カオナビ does not end";
    KaonaviSlotsTakenElsewhere: "kaonavi.slots_taken_elsewhere", Quota, Wait,
        "カオナビの更新枠を別のシステムが使っています",
        "Another system uses カオナビ's update slots";
    KaonaviTokensUsedUp: "kaonavi.tokens_used_up", Quota, Wait,
        "カオナビのトークンの発行回数が上限に達しました",
        "The hour's tokens of カオナビ are used up";
    SourceFeedUnauthorized: "source.feed_unauthorized", Source, Act,
        "連携元の従業員の一覧を取得できません（認証エラー）",
        "The source does not take the token of its employee feed";
    SourceFeedUnavailable: "source.feed_unavailable", Source, Act,
        "連携元の従業員の一覧から応答がありません",
        "The employee feed of the source does not answer";
    SourceFeedUnreadable: "source.feed_unreadable", Source, Act,
        "連携元の従業員の一覧を読み取れません",
        "The employee feed of the source can not be read";
    SourceWebhookSilent: "source.webhook_silent", Source, Act,
        "連携元からの通知（Webhook）が届いていません",
        "Changes come by sweep only, no webhook brings them";
    AttendanceKeyRefused: "attendance.key_refused", Source, Act,
        "勤怠サービスの API KEY が受け付けられませんでした",
        "The attendance service refused the API key";
    AttendanceIpBlocked: "attendance.ip_blocked", Source, Act,
        "勤怠サービスへの接続が許可されていません",
        "The attendance service does not let this address in";
    AttendanceCompanyUnknown: "attendance.company_unknown", Settings, Act,
        "ログインURLの企業名が勤怠サービスにありません",
        "The attendance service does not know the company of the login URL";
    AttendanceSourceUnavailable: "attendance.source_unavailable", Source, Act,
        "勤怠サービスから応答がありません",
        "The attendance service does not answer";
    AttendanceSourceUnreadable: "attendance.source_unreadable", Source, Act,
        "勤怠サービスからの応答を読み取れません",
        "An answer of the attendance service can not be read";
    AttendanceSourceClosed: "attendance.source_closed", Source, Wait,
        "勤怠サービスがAPIの利用を受け付けていない時間帯です",
        "The attendance service lets nobody read at this hour";
    AttendanceWindowOvertaken: "attendance.window_overtaken", Renkei, Act,
        "勤怠の同期が翌日の5時までに終わりませんでした",
        "A window did not end before the next one was due";
    AttendanceBookBehind: "attendance.book_behind", Renkei, Act,
        "取り込んだ勤怠の整理が終わりませんでした",
        "The book did not take over in time what a run had found";
    AttendanceCancelled: "attendance.cancelled", Settings, Wait,
        "勤怠の同期を中止しました",
        "A run was cancelled";
    AttendanceKeyEndsWithin14Days: "attendance.key_ends_within_14_days", Source, Act,
        "勤怠サービスの API KEY の有効期限が14日以内に切れます",
        "The key of the attendance service ends within 14 days";
    AttendanceKeyEndsWithin3Days: "attendance.key_ends_within_3_days", Source, Act,
        "勤怠サービスの API KEY の有効期限が3日以内に切れます",
        "The key of the attendance service ends within 3 days";
    AttendanceHalfEntered: "attendance.half_entered", Source, Act,
        "出社と退社のどちらか一方しか入力されていません",
        "Only one of start and end of work is entered";
    AttendanceErrorAtSource: "attendance.error_at_source", Source, Act,
        "勤怠サービスでエラーになっている日です",
        "The attendance service marks the day as wrong";
    AttendanceOver24h: "attendance.over_24h", Source, Act,
        "勤務時間が24時間を超えています",
        "Work of more than 24 hours on one day";
    AttendancePreviousDayStart: "attendance.previous_day_start", Source, Act,
        "前日のうちに始まる勤務です",
        "Work begins on the day before";
    AttendancePastMidnight: "attendance.past_midnight", Settings, Act,
        "翌日にまたがる勤務です",
        "Work goes on past midnight";
    AttendanceEmptyAtSource: "attendance.empty_at_source", Source, Wait,
        "勤務も休暇も入力されていない日です",
        "Neither work nor leave is entered";
    AttendanceUnreadableTimes: "attendance.unreadable_times", Source, Act,
        "勤怠サービスの時刻を読み取れません",
        "A time of the attendance service can not be read";
    AttendanceEndNotAfterStart: "attendance.end_not_after_start", Source, Act,
        "退社の時刻が出社の時刻より後になっていません",
        "The end of work is not after its start";
    AttendanceUnknownLeave: "attendance.unknown_leave", Settings, Act,
        "休暇の種類が分かりません",
        "The kind of leave is not known";
    AttendanceLeaveWithoutColumn: "attendance.leave_without_column", Settings, Act,
        "ファイルに休暇を書く列が設定されていません",
        "The file has no column for leave";
    AttendanceDoubleNumber: "attendance.double_number", Source, Act,
        "同じ社員コードの方が複数います",
        "Several people have the same 社員コード";
    AttendanceInSeveralLinks: "attendance.in_several_links", Settings, Act,
        "複数の連携から同じ社員コードの勤怠が届いています",
        "Several links bring the same 社員コード";
    AttendanceNoNumber: "attendance.no_number", Source, Act,
        "勤怠サービスに社員番号が登録されていません",
        "The attendance service has no 社員番号 for a person";
    AttendanceNotAMember: "attendance.not_a_member", Settings, Act,
        "クラウドログのメンバー一覧にない社員コードです",
        "The 社員コード is not in クラウドログ's member list";
    AttendanceInactiveMember: "attendance.inactive_member", Settings, Act,
        "クラウドログで無効になっているメンバーです",
        "The member is not active at クラウドログ";
    AttendanceOutsideMembership: "attendance.outside_membership", Settings, Act,
        "クラウドログの利用期間の外の日です",
        "The day is outside of the membership at クラウドログ";
    AttendanceProtected: "attendance.protected", Settings, Wait,
        "締め日以前の日、または保護の対象の日です",
        "The day is closed or protected";
    AttendanceCodeNotInEncoding: "attendance.code_not_in_encoding", Settings, Act,
        "社員コードに、ファイルの文字コードでは書けない文字があります",
        "The 社員コード has a character that the encoding of the file does not have";
    AttendanceLeaveWithoutTimes: "attendance.leave_without_times", Settings, Act,
        "出社と退社のない休暇です",
        "Leave without start and end of work";
    AttendanceLeaveBesideWork: "attendance.leave_beside_work", Settings, Act,
        "勤務と休暇が両方ある日です",
        "Leave on a day of work";
    AttendanceEmptiedAtSource: "attendance.emptied_at_source", Source, Act,
        "勤怠サービスで取り消された日です",
        "A day was emptied at the attendance service";
    AttendanceNearMiss: "attendance.near_miss", Settings, Act,
        "クラウドログによく似た社員コードがあります",
        "クラウドログ has a 社員コード that looks alike";
    AttendanceFileOutdated: "attendance.file_outdated", Settings, Act,
        "ファイルを作った後に保護の設定が変わりました",
        "The file is older than a change of the protected days";
    MappingGenderUnmapped: "mapping.gender_unmapped", Settings, Act,
        "性別の選択肢の対応が設定されていません",
        "A 性別 label has no entry in the mapping";
    MappingGenderChoiceGone: "mapping.gender_choice_gone", Destination, Act,
        "対応先の性別の選択肢がカオナビにありません",
        "カオナビ no longer has a mapped 性別 choice";
    MappingGenderChoiceNotInLayout: "mapping.gender_choice_not_in_layout", Settings, Act,
        "性別の対応先がカオナビの選択肢にありません",
        "A 性別 label is mapped to a choice that カオナビ does not have";
    MappingTooLong: "mapping.too_long", Source, Act,
        "カオナビの文字数の上限を超えています",
        "A value is longer than カオナビ allows";
    MappingChoiceNotInLayout: "mapping.choice_not_in_layout", Settings, Act,
        "カオナビの選択肢にない値を送ろうとしました",
        "A value is no choice of カオナビ's item";
    MappingRequiredMissing: "mapping.required_missing", Source, Act,
        "カオナビで必須の項目が空です",
        "An item that カオナビ requires would be empty";
    MappingRequiredItemUnmapped: "mapping.required_item_unmapped", Settings, Act,
        "カオナビの必須項目に設定がありません",
        "Nothing fills an item that カオナビ requires";
    MappingConstantNotInLayout: "mapping.constant_not_in_layout", Settings, Act,
        "固定値の項目がカオナビにありません",
        "A constant is for an item that カオナビ does not have";
    MappingConstantNotAChoice: "mapping.constant_not_a_choice", Settings, Act,
        "固定値がカオナビの選択肢にありません",
        "A constant is no choice of its item";
    MappingBusinessKanaMissing: "mapping.business_kana_missing", Source, Act,
        "ビジネスネームのヨミガナがありません",
        "A ビジネスネーム has no reading";
    MappingDepartmentUnmapped: "mapping.department_unmapped", Settings, Act,
        "部署に対応するカオナビの所属が設定されていません",
        "A department has no entry in the code table";
    MappingDepartmentNotInKaonavi: "mapping.department_not_in_kaonavi", Settings, Act,
        "対応先の所属がカオナビにありません",
        "A mapped 所属 does not exist in カオナビ";
    MappingDateInvalid: "mapping.date_invalid", Source, Act,
        "日付として読み取れない値があります",
        "A value is no date";
    MappingItemNotInLayout: "mapping.item_not_in_layout", Settings, Act,
        "連携項目の対応先がカオナビにありません",
        "A mapped item does not exist in カオナビ";
    MemberNearMiss: "member.near_miss", Source, Act,
        "よく似た社員番号の方がカオナビにいます",
        "カオナビ has a member with a similar 社員番号";
    MemberGone: "member.gone", Destination, Act,
        "連携で登録した方がカオナビからいなくなっています",
        "A member that we wrote is no longer in カオナビ";
    MemberNumberChanged: "member.number_changed", Source, Act,
        "社員番号が前と変わっています",
        "The 社員番号 differs from the one that was written";
    MemberNumberShared: "member.number_shared", Source, Act,
        "2人の方の社員番号が同じです",
        "Two people have one 社員番号";
    MemberNumberReused: "member.number_reused", Source, Act,
        "社員番号が別の方に使われているように見えます",
        "A 社員番号 seems to have gone to somebody else";
    MemberOwnedElsewhere: "member.owned_elsewhere", Settings, Act,
        "この社員番号は別の連携で管理されています",
        "Another connection wrote this 社員番号 first";
    DeliveryBrake: "delivery.brake", Source, Act,
        "一度に大量の変更が届いたため、更新を保留しました",
        "Many changes came at once; updates are held";
    DeliveryCeiling: "delivery.ceiling", Source, Act,
        "一度に大量の新規登録が届いたため、登録を保留しました",
        "Many new members came at once; registrations are held";
    DeliveryDeclined: "delivery.declined", Settings, Wait,
        "送らないことにした変更です",
        "Somebody decided not to send this change";
    StatusExcluded: "status_excluded", Source, Wait,
        "応募者または退職のため、対象外です",
        "応募者 and 退職 are not sent";
    DataEntryIncomplete: "data_entry_incomplete", Source, Wait,
        "データ入力が完了していないため、対象外です",
        "データ入力 is not complete";
    DeletedAtSource: "deleted_at_source", Source, Wait,
        "ロウムメイトで削除された方です",
        "Deleted at the source";
    Filtered: "filtered", Settings, Wait,
        "連携対象者の条件に合わないため、対象外です",
        "Outside of the target filter";
    Dismissed: "dismissed", Settings, Wait,
        "対応しないことにした方です",
        "Somebody dismissed this item";
    MissingEmployeeNumber: "missing_employee_number", Source, Act,
        "社員番号がありません",
        "No 社員番号";
    SourceRecordInvalid: "source.record_invalid", Source, Act,
        "受け取ったデータに誤りがあります",
        "The record breaks the contract";
    SourceRequired: "source.required", Source, Act,
        "必要な項目がありません",
        "A needed value is missing";
    SourceType: "source.type", Source, Act,
        "データの形が違います",
        "A value has another JSON type";
    SourceTooLong: "source.too_long", Source, Act,
        "文字数が上限を超えています",
        "A value is too long";
    SourceControlCharacter: "source.control_character", Source, Act,
        "使えない文字が含まれています",
        "A value has a character that is not allowed";
    SourceBlankAtEnds: "source.blank_at_ends", Source, Act,
        "番号の前後に空白があります",
        "A blank stands at an end of a number or id";
    SourceDate: "source.date", Source, Act,
        "日付が正しくありません",
        "A date is not a date of the calendar";
    SourceTimestamp: "source.timestamp", Source, Act,
        "更新日時の形が正しくありません",
        "更新日時 is not a time with offset";
    SourceUpdatedAtInFuture: "source.updated_at_in_future", Source, Act,
        "更新日時が先の日時になっています",
        "更新日時 lies in the future";
    SourceRecordTooLarge: "source.record_too_large", Source, Act,
        "1人分のデータが大きすぎます",
        "The record is too large";
    SourceDuplicateKey: "source.duplicate_key", Source, Act,
        "同じ項目が2回入っています",
        "A key stands twice";
    SourceUnreadable: "source.unreadable", Source, Act,
        "データを読み取れません",
        "The record can not be read";
    SourceSignatureInvalid: "source.signature_invalid", Source, Act,
        "届いた通知の署名を確認できません",
        "The signature of a delivery can not be verified";
    WebhookNotUtf8: "webhook.not_utf8", Source, Act,
        "通知の文字コードが UTF-8 ではありません",
        "The body is not UTF-8";
    WebhookNotJson: "webhook.not_json", Source, Act,
        "通知の本文が JSON ではありません",
        "The body is not a JSON object";
    WebhookTooDeep: "webhook.too_deep", Source, Act,
        "通知の本文の入れ子が深すぎます",
        "The body is nested too deep";
    WebhookDuplicateKey: "webhook.duplicate_key", Source, Act,
        "通知に同じ項目が2回入っています",
        "A key of the envelope stands twice";
    WebhookType: "webhook.type", Source, Act,
        "通知の種類が正しくありません",
        "`type` is missing or unknown";
    WebhookData: "webhook.data", Source, Act,
        "通知に data がありません",
        "`data` is missing or no object";
    WebhookNoEmployee: "webhook.no_employee", Source, Act,
        "通知に従業員のデータがありません",
        "`data` has no employee";
    WebhookEmployeeAndEmployees: "webhook.employee_and_employees", Source, Act,
        "通知に employee と employees の両方があります",
        "`data` has both forms";
    WebhookBatchType: "webhook.batch_type", Source, Act,
        "複数人の通知の種類が正しくありません",
        "A list is not of type `employee.updated`";
    WebhookEmployeesNotAList: "webhook.employees_not_a_list", Source, Act,
        "employees がリストではありません",
        "`employees` is no list";
    WebhookEmployeesEmpty: "webhook.employees_empty", Source, Act,
        "employees が空です",
        "`employees` is empty";
    WebhookTooManyEmployees: "webhook.too_many_employees", Source, Act,
        "1回の通知の人数が多すぎます",
        "More than 500 records in one delivery";
    WebhookNoUsableEmployee: "webhook.no_usable_employee", Source, Act,
        "通知に受け取れるデータが1件もありません",
        "No record has an id and a time";
    WebhookNoRoute: "webhook.no_route", Source, Act,
        "通知の送り先の URL が正しくありません",
        "No such path";
    WebhookMethodNotAllowed: "webhook.method_not_allowed", Source, Act,
        "通知の送りかたが正しくありません",
        "Another method than POST";
    WebhookTooLarge: "webhook.too_large", Source, Act,
        "通知の本文が大きすぎます",
        "The body is over 1 MiB";
    WebhookMediaType: "webhook.media_type", Source, Act,
        "通知の形式が正しくありません",
        "The body is not plain JSON";
    WebhookTooSlow: "webhook.too_slow", Source, Wait,
        "通知の受信に時間がかかりすぎました",
        "The body came too slowly";
    WebhookCutOff: "webhook.cut_off", Source, Wait,
        "通知が途中で切れました",
        "The body is not complete";
    WebhookUnknownConnection: "webhook.unknown_connection", Source, Act,
        "通知の送り先の連携がありません",
        "No such connection";
    WebhookDisconnected: "webhook.disconnected", Source, Act,
        "通知の送り先の連携は解除されています",
        "The connection was ended";
    WebhookRateLimited: "webhook.rate_limited", Quota, Wait,
        "通知の数が上限を超えました",
        "Too many deliveries at once";
    WebhookUnavailable: "webhook.unavailable", Renkei, Wait,
        "Renkei が通知を受け取れませんでした",
        "Renkei could not take the delivery";
    CsvEmpty: "csv.empty", Source, Act,
        "CSVファイルに行がありません",
        "The file has no rows";
    CsvNotText: "csv.not_text", Source, Act,
        "CSVとして読み取れないファイルです",
        "The file is no CSV";
    CsvHeaderUnknown: "csv.header_unknown", Source, Act,
        "社員番号の列が見つかりません",
        "No column says who a row is about";
    CsvColumnTwice: "csv.column_twice", Source, Act,
        "同じ項目の列が2つあります",
        "Two columns stand for one field";
    CsvTooManyRows: "csv.too_many_rows", Source, Act,
        "CSVファイルの行が多すぎます",
        "The file has more than 50,000 rows";
    CsvTooLarge: "csv.too_large", Caller, Act,
        "CSVファイルが大きすぎます",
        "The file is over 64 MiB";
    CsvOpenQuote: "csv.open_quote", Source, Act,
        "引用符が閉じられていません",
        "A quotation mark is not closed";
    CsvCutOff: "csv.cut_off", Caller, Act,
        "CSVファイルの受信が途中で切れました",
        "The file did not arrive whole";
    CsvMediaType: "csv.media_type", Caller, Act,
        "本文がCSVとして送られていません",
        "The body is not announced as CSV";
    CsvConstantNeeded: "csv.constant_needed", Settings, Act,
        "従業員ステータスか状況の指定が必要です",
        "One value for all rows has to be given";
    CsvEncoding: "csv.encoding", Source, Act,
        "ほかの行と文字コードが違います",
        "A row is in another encoding than the file";
    CsvCellCount: "csv.cell_count", Source, Act,
        "列の数が見出しと合いません",
        "A row has another number of cells than the header line";
    CsvHeaderRepeated: "csv.header_repeated", Source, Act,
        "見出しの行がもう一度出てきます",
        "The header line stands again among the rows";
    CsvPersonTwice: "csv.person_twice", Source, Act,
        "同じ方が2行にあります",
        "Two rows are about one person";
    ApiUnauthorized: "api.unauthorized", Caller, Act,
        "API のトークンが確認できません",
        "The token of an API call is not valid";
    ApiForbidden: "api.forbidden", Caller, Act,
        "このトークンでは、この操作はできません",
        "The token may not do this";
    ApiTenantNeeded: "api.tenant_needed", Caller, Act,
        "企業の指定がありません",
        "The call does not say for which tenant";
    ApiNotFound: "api.not_found", Caller, Act,
        "指定されたものが見つかりません",
        "No such path or thing";
    ApiMethodNotAllowed: "api.method_not_allowed", Caller, Act,
        "このパスでは使えないメソッドです",
        "The path does not take this method";
    ApiMediaType: "api.media_type", Caller, Act,
        "本文の形式が JSON ではありません",
        "The body is not announced as JSON";
    ApiBodyTooLarge: "api.body_too_large", Caller, Act,
        "本文が大きすぎます",
        "The body of an API call is over 1 MiB";
    ApiNotJson: "api.not_json", Caller, Act,
        "本文を JSON として読み取れません",
        "The body of an API call can not be read as JSON";
    ApiUnknownField: "api.unknown_field", Caller, Act,
        "知らない項目が指定されています",
        "A field or parameter is unknown";
    ApiWrongType: "api.wrong_type", Caller, Act,
        "項目の型が違います",
        "A value has another type than it must have";
    ApiInvalidValue: "api.invalid_value", Caller, Act,
        "項目の値が正しくありません",
        "A value is not allowed, or missing";
    ApiCursorInvalid: "api.cursor_invalid", Caller, Act,
        "続きを示す cursor が正しくありません",
        "The cursor was not given by this list";
    ApiPreconditionRequired: "api.precondition_required", Caller, Act,
        "変更には If-Match が必要です",
        "A change of settings needs If-Match";
    ApiPreconditionFailed: "api.precondition_failed", Caller, Act,
        "設定がほかで変更されています",
        "The settings changed in the meantime";
    ApiConflict: "api.conflict", Caller, Act,
        "今の状態ではこの操作はできません",
        "The state does not allow this now";
    ApiRateLimited: "api.rate_limited", Quota, Wait,
        "API の呼び出しが多すぎます",
        "Too many API calls with one token";
    ApiUnavailable: "api.unavailable", Renkei, Wait,
        "Renkei が API に応答できませんでした",
        "Renkei could not answer the API call";
    RenkeiRecordUndecodable: "renkei.record_undecodable", Renkei, Act,
        "Renkei の中で読み取れない記録がありました",
        "A record on the log can not be decoded";
}
